"""A program of its own: sends through aioapns, unchanged, and prints what that made of the answers.

Reads one JSON object from standard input (port, ca_file, key, key_id, team_id, topic, good: how
many pushes to devices of their own, others: device tokens to send to one after the other).
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections import Counter
from typing import Any

from aioapns import APNs, NotificationRequest
from aioapns.connection import APNsProductionClientProtocol

MESSAGE = {"aps": {"alert": "hello"}}


async def send(place: dict[str, Any]) -> dict[str, Any]:
    APNsProductionClientProtocol.APNS_SERVER = "localhost"
    APNsProductionClientProtocol.APNS_PORT = place["port"]
    refused: list[list[str | None]] = []

    async def note(_: NotificationRequest, result: Any) -> None:
        refused.append([result.status, result.description, result.timestamp])

    client = APNs(
        key=place["key"],
        key_id=place["key_id"],
        team_id=place["team_id"],
        topic=place["topic"],
        ssl_context=ssl.create_default_context(cafile=place["ca_file"]),
        max_connections=place["connections"],
        err_func=note,
    )

    async def one(device: str) -> str:
        request = NotificationRequest(device_token=device, message=MESSAGE)
        result = await asyncio.wait_for(client.send_notification(request), 30)
        return str(result.status)

    statuses = await asyncio.gather(*(one(f"{number:064x}") for number in range(place["good"])))
    for device in place["others"]:
        await one(device)
    client.pool.close()
    return {"statuses": Counter(statuses), "refused": refused}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send(json.load(sys.stdin)))))  # noqa: T201 - it is its answer
