"""How each of the cast is called in the registry."""

from __future__ import annotations

ROOT = "booper"
INSTANCES = "instances"
DELIVERY = "delivery"
KEEPER = "keeper"
FANOUT = "fanout"
DISPATCHER = "dispatcher"
JANITOR = "janitor"
FRONT = "front"


def instance(name: str) -> str:
    """The actor of the instance called `name`."""
    return f"instance/{name}"
