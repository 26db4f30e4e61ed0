"""How a channel is asked for, and how it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from booper.api import etag, rooms
from booper.api.device_tokens import DeviceToken  # noqa: TC001 - msgspec reads it
from booper.api.pages import Page
from booper.api.render import Moment, moment, rendered
from booper.api.rooms import AppId

if TYPE_CHECKING:
    from quart import Response

    from booper.store.channels import Channel
    from booper.store.subscriptions import Heard

Title = Annotated[str, Meta(max_length=100)]


class ChannelAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new channel: of the app `app_id`, or public. `publish_key`: only a key publishes in it."""

    name: Annotated[str, Meta(max_length=64)]
    title: Title = ""
    app_id: AppId | None = None
    publish_key: bool = False


class ChannelChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays."""

    title: Title | UnsetType = UNSET


class ChannelView(msgspec.Struct, frozen=True):
    """A channel; `app_id`: null for a public one; `publish_key`: whether publishing wants a key.
    `subscription_id`, `muted`: of the device that asks; null while it does not listen."""

    id: str
    name: str
    title: str
    app_id: str | None
    publish_key: bool
    created_at: Moment
    subscription_id: str | None = None
    muted: bool | None = None


class ChannelMade(ChannelView, frozen=True):
    """With what stands here and never again: the `secret` of a public channel, with which its maker
    changes it (`Authorization: Bearer bcs_…`), and its `key` to publish, if it wants one."""

    secret: str | None = None
    key: str | None = None

    def __repr__(self) -> str:
        return f"ChannelMade({self.id})"


class Wanted(Page, frozen=True, forbid_unknown_fields=True):
    """Of which device, or of which app; with both, of that device in that app."""

    device_token: DeviceToken | None = None
    provider: Annotated[str, Meta(max_length=64)] | None = None
    app_id: AppId | None = None

    @property
    def named(self) -> rooms.Named:
        """The device."""
        return rooms.Named(device_token=self.device_token, provider=self.provider)


class InApp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In which app, where the channel is named by its name."""

    app_id: AppId | None = None


class Seen(rooms.Named, frozen=True, forbid_unknown_fields=True):
    """In which app, and which device looks."""

    app_id: AppId | None = None


def view(found: Channel, heard: Heard | None = None) -> ChannelView:
    """A channel as it is shown, perhaps to a device."""
    subscription = None if heard is None else heard.subscription
    return ChannelView(
        found.id,
        found.name,
        found.title,
        found.app_id,
        found.publish_name is not None,
        moment(found.created_at),
        subscription,
        heard.muted if heard is not None and subscription is not None else None,
    )


def shown(found: Channel, heard: Heard | None = None) -> Response:
    """One channel, with its tag."""
    return rendered(view(found, heard), 200, {"ETag": etag.tag(found.version)})
