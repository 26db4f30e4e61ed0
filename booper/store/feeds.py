"""Feeds: what was said to a device, in all the channels that it may see, newest first.

A device may listen to a thousand channels, and each may have any number of notifications. So each
channel is first asked for its newest alone, and only those are read whose newest is among the best.
"""

# ruff: noqa: S608 - what is put together is our own columns
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.domain.notification import UNSAID
from booper.ports import Sql
from booper.store.notifications import COLUMNS, FROM, of_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.domain.notification import Progress
    from booper.ports import Row, Tx

_SAID = f"n.state NOT IN {UNSAID!r} AND n.id < ?2 AND (n.archived_at IS NULL OR ?3 = 1)"
_NEWEST = Sql(
    "SELECT channel, newest FROM (SELECT j.value AS channel,"
    f" (SELECT n.id FROM notifications n WHERE n.channel = j.value AND {_SAID}"
    "  ORDER BY n.id DESC LIMIT 1) AS newest FROM json_each(?1) j) heard"
    " WHERE newest IS NOT NULL ORDER BY newest DESC LIMIT ?4",
    (
        "SELECT channel, newest FROM (SELECT j.value::bigint AS channel,"
        f" (SELECT n.id FROM notifications n WHERE n.channel = j.value::bigint AND {_SAID}"
        "  ORDER BY n.id DESC LIMIT 1) AS newest FROM jsonb_array_elements_text(?1::jsonb) j) heard"
        " WHERE newest IS NOT NULL ORDER BY newest DESC LIMIT ?4"
    ).replace("?", "$"),
)
_OF_ONE = Sql(
    f"SELECT {COLUMNS} {FROM} WHERE n.channel = ?1 AND {_SAID} ORDER BY n.id DESC LIMIT ?4"
)
_OF_SEVERAL = Sql(
    f"SELECT {COLUMNS} {FROM} WHERE n.number IN (SELECT nc.notification FROM notification_channels"
    f" nc WHERE nc.channel IN (SELECT value FROM json_each(?1))) AND {_SAID}"
    " ORDER BY n.id DESC LIMIT ?4",
    (
        f"SELECT {COLUMNS} {FROM} WHERE n.number IN (SELECT nc.notification FROM"
        " notification_channels nc WHERE nc.channel IN (SELECT value::bigint FROM"
        f" jsonb_array_elements_text(?1::jsonb))) AND {_SAID} ORDER BY n.id DESC LIMIT ?4"
    ).replace("?", "$"),
)
_FIRST = "g"  # comes after every id


async def page(
    tx: Tx, channels: Sequence[int], after: str, limit: int, *, archived: bool
) -> list[Progress]:
    """At most `limit` of what was said in these channels (by row number), newest first, from before
    that id ("": from the newest); what was said in several comes once."""
    listed = msgspec.json.encode(channels).decode()
    asked = (after or _FIRST, int(archived), limit)
    found: list[Row] = list(await tx.fetch(_OF_SEVERAL, listed, *asked)) if channels else []
    for channel, newest in await tx.fetch(_NEWEST, listed, *asked):
        if len(found) >= limit and newest < found[limit - 1][0]:
            break  # nor has any later channel a newer one
        found += await tx.fetch(_OF_ONE, channel, *asked)
        found.sort(key=lambda row: str(row[0]), reverse=True)
        del found[limit:]
    return [of_row(row) for row in found]
