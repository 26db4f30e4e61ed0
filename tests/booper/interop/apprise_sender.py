"""A program of its own: notifies through apprise, unchanged, and prints what that made of it.

Reads a JSON list of {"url", "title", "body"} from standard input; prints a list of true and false.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import apprise


def notify(wanted: dict[str, Any]) -> bool:
    sender = apprise.Apprise()
    assert sender.add(wanted["url"]), "apprise does not understand the address"
    return bool(sender.notify(title=wanted["title"], body=wanted["body"]))


if __name__ == "__main__":
    print(json.dumps([notify(wanted) for wanted in json.load(sys.stdin)]))  # noqa: T201 - its answer
