"""How each of the cast is called in the registry."""

from __future__ import annotations

ROOT = "booper"
NODE = "node"
HEARTBEAT = "heartbeat"
LISTENER = "listener"
RESOLVERS = "resolvers"
RESOLVER = "resolver/"
INSTANCES = "instances"
DELIVERY = "delivery"
KEEPER = "keeper"
FANOUT = "fanout"
DISPATCHER = "dispatcher"
JANITOR = "janitor"
RECEIPTS = "receipts"
FRONT = "front"


def instance(name: str) -> str:
    """The actor of the instance called `name`."""
    return f"instance/{name}"


def resolver(key: str) -> str:
    """The actor that looks for the access tokens of the recipe with that key."""
    return f"{RESOLVER}{key}"
