"""Protection: how an instance is kept from harming its provider, its devices and others.

These settings stand beside the provider's own in an instance's table and mean the same for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from booper.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping


class Protection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Caps, and when a wave of dead devices is not believed.

    `max_in_flight` devices at once and `rate` devices a second; 0: no cap. Within `brake_window`
    seconds, at least `brake_minimum` devices that are more than `brake_share` of those the
    provider judged: then their drops are quarantined until an operator has looked.
    """

    max_in_flight: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    rate: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    brake_share: Annotated[float, Meta(gt=0, le=1)] = 0.2
    brake_minimum: Annotated[int, Meta(ge=1, le=1_000_000)] = 20
    brake_window: Annotated[float, Meta(ge=1, le=86_400)] = 600.0


DEFAULT = Protection()


def split(name: str, table: Mapping[str, Any]) -> tuple[Protection, dict[str, Any]]:
    """The protection in the settings of instance `name`, and the settings without it.

    Misconfigured names what is wrong.
    """
    own = {key: table[key] for key in Protection.__struct_fields__ if key in table}
    rest = {key: value for key, value in table.items() if key not in own}
    try:
        return msgspec.convert(own, Protection, strict=False), rest
    except msgspec.ValidationError as error:
        raise Misconfigured(f"instances.{name}: {error}.", code="invalid_settings") from None
