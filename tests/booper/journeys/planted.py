"""The canaries: one of each kind of secret, made for the occasion and found again by any of its
spellings."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from secrets import token_bytes, token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from booper.providers import vapid
from booper.simulators.apns import generate_key

if TYPE_CHECKING:
    from collections.abc import Iterator


def hatch() -> dict[str, str]:
    """A whole set, to be handed to `Planted` in whichever process."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "apns": generate_key().private_key_pem,
        "fcm": pem,
        "vapid": vapid.generate().private_key.reveal(),
        "key": b64encode(token_bytes(32)).decode(),
        "other_key": b64encode(token_bytes(32)).decode(),
        **{
            name: f"canary-{name}-{token_hex(16)}"
            for name in ("expo", "ntfy", "ntfy_password", "proxy", "admin_key", "password")
        },
    }


class Planted:
    """The secrets as settings, and as what to look for."""

    def __init__(self, hatched: dict[str, str]) -> None:
        self._hatched = hatched
        self.admin_key = hatched["admin_key"]
        self.password = hatched["password"]
        self.key = hatched["key"]
        self.other_key = hatched["other_key"]
        self.proxy = f"http://me:{hatched['proxy']}@127.0.0.1:1"
        self.apns = {
            "provider": "apns",
            "key_id": "ABC1234567",
            "team_id": "DEF1234567",
            "topic": "com.example.app",
            "private_key": hatched["apns"],
        }
        account = {
            "type": "service_account",
            "project_id": "bench",
            "private_key_id": "k1",
            "private_key": hatched["fcm"],
            "client_email": "push@bench.iam.gserviceaccount.com",
        }
        self.fcm = {"provider": "fcm", "credentials": json.dumps(account)}
        self.expo = {"provider": "expo", "access_token": hatched["expo"]}
        self.ntfy = {"provider": "ntfy", "access_token": hatched["ntfy"]}
        password = hatched["ntfy_password"]
        self.ntfy_password = {"provider": "ntfy", "user": "me", "password": password}
        subject = "mailto:ops@example.com"
        self.webpush = {
            "provider": "webpush",
            "private_key": hatched["vapid"],
            "subject": subject,
        }

    def unusable(self) -> Iterator[dict[str, Any]]:
        """Settings that no provider takes, each with a secret in a place where it hurts."""
        pem, word = self._hatched["apns"], self.password
        yield {"private_key": pem.replace("BEGIN", "BEGUN"), "key_id": word, "team_id": word}
        yield {**self.apns, "private_key": pem[: len(pem) // 2]}
        yield {**self.apns, "private_key": [pem]}
        yield {**self.apns, "private_key": {"pem": pem}}
        yield {**self.apns, "url": f"https://me:{word}@example.com"}
        yield {**self.apns, "proxy": f"ftp://me:{word}@example.com", "colour": word}
        yield {"credentials": self.fcm["credentials"][:-20]}
        yield {"credentials": self.fcm["credentials"].replace("PRIVATE", "PUBLIC")}
        yield {"credentials": json.loads(self.fcm["credentials"])}
        yield {"access_token": f"{word}\n", "url": f"https://me:{word}@example.com/x"}
        yield {"access_token": 5, "password": word}
        yield {"private_key": word, "subject": word}
        yield {"private_key": self._hatched["vapid"][:-3], "subject": "x"}

    def bad_files(self) -> Iterator[str]:
        """Settings files that cannot be used."""
        yield f'admin_key = "{self.password}'
        yield f'admin_key = ["{self.password}"]'
        yield f'database = "{self.password}"\nport = 5'
        yield f'[keys]\nk1 = ["{self.key}"]'
        yield f'[http]\nport = "{self.password}"'
        yield f'[delivery]\nlease = "{self.password}"'
        for settings in self.unusable():
            lines = [f"{json.dumps(k)} = {json.dumps(v)}" for k, v in settings.items()
                     if isinstance(v, str)]  # fmt: skip
            for provider in ("apns", "fcm", "expo", "ntfy", "webpush", "pigeon"):
                whole = {line.partition(" ")[0]: line for line in lines}
                whole['"provider"'] = f'"provider" = "{provider}"'
                yield "\n".join(["[instances.x]", *whole.values()])

    def needles(self) -> dict[bytes, str]:
        """Every spelling of every secret → its name."""
        found: dict[str, str] = {}
        for name, secret in self._hatched.items():
            if "PRIVATE KEY" in secret:
                body = [line for line in secret.splitlines() if "KEY" not in line]
                found.update(dict.fromkeys([line for line in body if len(line) > 16], name))
                continue
            for text in (secret, secret[:-4], f"me:{secret}"):
                raw = text.encode()
                found[text] = found[quote(text, safe="")] = name
                found[b64encode(raw).decode().rstrip("=")] = name
                found[urlsafe_b64encode(raw).decode().rstrip("=")] = name
                found[raw.hex()] = name
        return {needle.encode(): name for needle, name in found.items()}
