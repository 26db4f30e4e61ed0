"""Expo's community SDK for Python, unchanged, in a process of its own; see test_expo_sdk.py."""

from __future__ import annotations

import json
import sys
from typing import Any

from exponent_server_sdk import (
    DeviceNotRegisteredError,
    MessageTooBigError,
    PushClient,
    PushMessage,
    PushServerError,
    PushTicketError,
)


def told(response: Any) -> str:
    """What the SDK makes of a ticket or a receipt."""
    try:
        response.validate_response()
    except DeviceNotRegisteredError:
        return "not registered"
    except MessageTooBigError:
        return "too big"
    except PushTicketError as error:
        return f"error: {error.push_response.details['error']}"
    return "ok"


def sent(place: dict[str, Any]) -> dict[str, Any]:
    """What the SDK says of everything that the test wants sent."""
    client = PushClient(host=place["url"], force_fcm_v1=True)
    client.session.headers["authorization"] = f"Bearer {place['access_token']}"
    messages = [
        PushMessage(to=to, title="Hi", body=body, data={"a": 1}, sound="default", ttl=60, badge=1)
        for to, body in place["messages"]
    ]
    report: dict[str, Any] = {}
    try:
        one = client.publish(messages[0])
        tickets = client.publish_multiple(messages[1:])
        good = [ticket for ticket in (one, *tickets) if ticket.is_success()]
        report["tickets"] = [told(ticket) for ticket in (one, *tickets)]
        receipts = client.check_receipts_multiple(good)
        report["receipts"] = sorted(told(receipt) for receipt in receipts)
        if place["anonymous_receipts"]:
            report["again"] = len(client.check_receipts(good))
    except PushServerError as error:
        report["error"] = [each["code"] for each in error.errors]
    return report


if __name__ == "__main__":
    print(json.dumps(sent(json.load(sys.stdin))))  # noqa: T201 - it is its answer
