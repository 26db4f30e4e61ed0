"""A program of its own: sends through firebase-admin, unchanged, and prints what came of it.

Reads one JSON object from standard input: url, account (the service account's JSON), sends: lists
of a way ("send", "each", "each_async") with dry_run and messages (keyword arguments of Message,
with `android` and `apns` as keyword arguments of theirs). The authority is trusted by environment.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from typing import Any

import firebase_admin
from firebase_admin import credentials, exceptions, messaging
from google.auth.exceptions import GoogleAuthError


def message(fields: dict[str, Any]) -> Any:
    android = fields.pop("android", None)
    notification = fields.pop("notification", None)
    return messaging.Message(
        notification=notification and messaging.Notification(**notification),
        android=android and messaging.AndroidConfig(**android),
        **fields,
    )


def shown(error: Any) -> list[Any]:
    """An error as firebase-admin understood it."""
    return [type(error).__name__, getattr(error, "code", None), str(error)]


def send(wanted: dict[str, Any]) -> list[Any]:
    messages = [message(fields) for fields in wanted["messages"]]
    dry_run = wanted["dry_run"]
    if wanted["way"] == "send":
        found: list[Any] = []
        for one in messages:
            try:
                found.append(messaging.send(one, dry_run=dry_run))
            except (exceptions.FirebaseError, GoogleAuthError) as error:
                found.append(shown(error))
        return found
    if wanted["way"] == "each":
        batch = messaging.send_each(messages, dry_run=dry_run)
    else:
        batch = asyncio.run(messaging.send_each_async(messages, dry_run=dry_run))
    return [one.message_id if one.success else shown(one.exception) for one in batch.responses]


def main() -> None:
    warnings.simplefilter("ignore", DeprecationWarning)  # `token`, in favour of `fid`
    place = json.load(sys.stdin)
    messaging._MessagingService.FCM_URL = place["url"] + "/v1/projects/{0}/messages:send"
    firebase_admin.initialize_app(credentials.Certificate(place["account"]))
    print(json.dumps([send(wanted) for wanted in place["sends"]]))  # noqa: T201 - it is its answer


if __name__ == "__main__":
    main()
