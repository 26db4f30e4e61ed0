"""A program of its own: sends through pywebpush, unchanged, and prints what became of it.

Reads one JSON object from standard input: subscriptions, texts (each goes to every subscription),
private_key (PEM file), subject, headers.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pywebpush import WebPushException, webpush


def send(place: dict[str, Any]) -> list[list[Any]]:
    said: list[list[Any]] = []
    for subscription in place["subscriptions"]:
        for text in place["texts"]:
            try:
                answer = webpush(
                    subscription_info=subscription,
                    data=text,
                    vapid_private_key=place["private_key"],
                    vapid_claims={"sub": place["subject"]},
                    headers=place["headers"],
                    ttl=60,
                    timeout=20,
                )
                said.append([answer.status_code, answer.headers.get("location", "")])
            except WebPushException as error:
                answer = error.response
                said.append([answer.status_code, answer.json()["message"]])
    return said


if __name__ == "__main__":
    print(json.dumps(send(json.load(sys.stdin))))  # noqa: T201 - it is its answer
