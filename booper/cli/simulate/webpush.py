"""`booper simulate webpush`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from booper.cli.simulate.running import Options, Show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.simulators.webpush import WebPushSimulator

SUBJECT = "mailto:ops@example.com"
FAULT = '{"fault": {"kind": "answer", "status": 429, "retry_after": 5}, "times": 5}'

GUARD = '[guard]\nallow = ["127.0.0.0/8", "::1/128"]  # endpoints on this machine'
HINT = (
    "Make a browser's subscription for it, to be registered with POST /api/devices:\n\n"
    'curl --cacert {ca_file} {url}/subscribe -d \'{{"applicationServerKey": "{public_key}"}}\''
)


def webpush(options: Options = Options()) -> None:  # noqa: B008 - frozen
    """Run a Web Push service and the browsers behind it until SIGINT or SIGTERM.

    `POST /subscribe` makes a browser's subscription, `GET /messages/{name}` shows what that browser
    has decrypted; `name` is the last part of the subscription's endpoint. Every message is checked
    as strictly as the RFCs allow: VAPID, TTL, Urgency, Topic, size, encryption. A VAPID key pair is
    made at every start; a subscription made with its public key takes messages from it only.
    """

    def make(folder: Path) -> tuple[WebPushSimulator, Mapping[str, str]]:
        from booper.providers import vapid
        from booper.simulators.webpush import WebPushSimulator

        pair = vapid.generate()
        key_file = folder / "vapid.pem"
        key_file.touch(mode=0o600)
        key_file.write_text(pair.private_key.reveal())
        return WebPushSimulator(), {
            "key_file": str(key_file),
            "public_key": pair.public_key,
            "subject": SUBJECT,
        }

    settings = {"private_key_file": "key_file", "subject": "subject", "ca_file": "ca_file"}
    Show("webpush", "Web Push", make, settings, FAULT, GUARD, HINT).run(options)
