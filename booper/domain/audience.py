"""Audience: whom a notification is for, as the caller named it."""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter
from typing import Annotated

import msgspec
from msgspec import Meta

from booper.domain.channel import channel_name
from booper.domain.errors import Invalid

MOST_CHANNELS = 20
MOST_DEVICES = 500
Named = Annotated[str, Meta(min_length=1, max_length=256)]
Channel = Annotated[str, Meta(max_length=64)]
Id = Annotated[str, Meta(max_length=64)]
Channels = Annotated[list[Channel], Meta(min_length=1, max_length=MOST_CHANNELS)]
Devices = Annotated[list[Id], Meta(min_length=1, max_length=MOST_DEVICES)]


class Audience(msgspec.Struct, frozen=True, omit_defaults=True):
    """Exactly one of these. A device that several channels reach gets one push.

    `user_id`, `identifier`: the app's own names of whoever uses a device; `everyone`: every device
    of the app. Channels go by name or id, devices by id.
    """

    channel: Channel | None = None
    channels: Channels | None = None
    user_id: Named | None = None
    identifier: Named | None = None
    devices: Devices | None = None
    everyone: bool = False

    @property
    def rooms(self) -> list[str]:
        """The channels, if it is for channels."""
        return [self.channel] if self.channel is not None else self.channels or []


FIELDS = Audience.__struct_fields__
_values = attrgetter(*FIELDS)
_NOBODY = _values(Audience())


def spelled(named: object) -> tuple[Audience, str]:
    """What has these fields as an audience in its one spelling, and as JSON; Invalid unless it
    names exactly one."""
    values = _values(named)
    if values[0] is not None and values[1:] == _NOBODY[1:]:
        return _room(values[0])
    found = checked(Audience(*values))
    return found, msgspec.json.encode(found).decode()


@lru_cache(maxsize=1024)
def _room(channel: str) -> tuple[Audience, str]:
    """The commonest of all, and mostly the same one."""
    found = Audience(channel=channel_name(channel))
    return found, msgspec.json.encode(found).decode()


def checked(audience: Audience) -> Audience:
    """The same in its one spelling; Invalid unless it names exactly one audience."""
    if sum(value not in (None, False) for value in _values(audience)) != 1:
        named = [name for name in FIELDS if getattr(audience, name) not in (None, False)]
        raise Invalid(
            "Say whom it is for by one of channel, channels, user_id, identifier, devices,"
            " everyone.",
            code="which_audience",
            pointer=f"/{named[1]}" if named else "",
        )
    if audience.channel is not None:
        return _room(audience.channel)[0]
    if audience.channels is not None:
        names = [
            channel_name(name, f"/channels/{place}") for place, name in enumerate(audience.channels)
        ]
        return Audience(channels=list(dict.fromkeys(names)))
    if audience.devices is not None:
        return Audience(devices=list(dict.fromkeys(audience.devices)))
    return audience
