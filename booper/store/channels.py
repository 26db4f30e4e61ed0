"""Channels: public ones, made by their first subscriber or for whoever holds them, and apps'.

A public channel's `name` is its name, an app's is `<app id>/<name>`. A deleted channel is nobody's
from that moment; what hangs on it goes in small steps (`sweep`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from booper.domain.channel import UUID_LENGTH
from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from booper.domain.credential import Credential
    from booper.ports import Row, Tx


class Channel(NamedTuple):
    """A row. `app`, `app_id`, `account`: whose it is; None for a public one. `publish_name`: only
    the key of that name publishes in it."""

    number: int
    id: str
    name: str
    app: int | None
    app_id: str | None
    account: int | None
    title: str
    version: int
    secret_name: str | None
    publish_name: str | None
    created_at: float


class NewChannel(NamedTuple):
    """A channel as it is made; `app`: its app's row number and id."""

    id: str
    name: str
    title: str = ""
    app: tuple[int, str] | None = None
    secret: Credential | None = None
    publish: Credential | None = None


COLUMNS = (
    "c.number, c.id, c.name, c.app, a.id, a.account, c.title, c.version, c.secret_name,"
    " c.publish_name, c.created_at"
)
FROM = "FROM channels c LEFT JOIN apps a ON a.number = c.app"
ALIVE = "c.deleted_at IS NULL AND a.deleted_at IS NULL"
_ENSURE = Sql(
    "INSERT INTO channels (id, name, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING"
)
_FIND = Sql("SELECT number, publish_name FROM channels WHERE name = ?")
_ENSURE_APP = Sql(
    "INSERT INTO channels (id, name, app, created_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (name) DO NOTHING"
)
_FIND_BY_ID = Sql(
    "SELECT number, publish_name FROM channels WHERE id = ? AND coalesce(app, 0) = ?"
    " AND deleted_at IS NULL",
    "SELECT number, publish_name FROM channels WHERE id = $1 AND coalesce(app, 0) = $2::bigint"
    " AND deleted_at IS NULL",
)
_NAMES = Sql(
    "SELECT id, name FROM channels WHERE id IN (SELECT value FROM json_each(?)) AND app IS NULL",
    "SELECT id, name FROM channels WHERE id IN (SELECT jsonb_array_elements_text($1::jsonb))"
    " AND app IS NULL",
)
_BY_NAME = Sql(f"SELECT {COLUMNS} {FROM} WHERE c.name = ? AND {ALIVE}")
_BY_ID = Sql(f"SELECT {COLUMNS} {FROM} WHERE c.id = ? AND {ALIVE}")
_CREATE = Sql(
    "INSERT INTO channels (id, name, app, title, secret_name, secret_hash, publish_name,"
    " publish_hash, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (name) DO NOTHING"
)
_COUNT = Sql("SELECT count(*) FROM channels WHERE app = ? AND deleted_at IS NULL")
_PAGE = Sql(
    f"SELECT {COLUMNS} {FROM} WHERE c.app = ? AND c.id > ? AND {ALIVE} ORDER BY c.id LIMIT ?"
)
_CHANGE = Sql(
    "UPDATE channels SET title = ?, version = version + 1"
    " WHERE number = ? AND version = ? AND deleted_at IS NULL"
)
_BURY = Sql(
    "UPDATE channels SET name = '-' || id, app = NULL, title = '', secret_name = NULL,"
    " secret_hash = NULL, publish_name = NULL, publish_hash = NULL, deleted_at = ?"
    " WHERE number = ? AND version = ? AND deleted_at IS NULL"
)
_BURIED = Sql("SELECT number FROM channels WHERE deleted_at IS NOT NULL ORDER BY number LIMIT 1")
_SWEEP = (
    Sql(
        "DELETE FROM subscriptions WHERE (channel, device) IN"
        " (SELECT channel, device FROM subscriptions WHERE channel = ? LIMIT ?)"
    ),
    Sql(
        "DELETE FROM grants WHERE (device, channel) IN"
        " (SELECT device, channel FROM grants WHERE channel = ? LIMIT ?)"
    ),
    Sql(
        "DELETE FROM notification_channels WHERE (notification, channel) IN"
        " (SELECT notification, channel FROM notification_channels WHERE channel = ? LIMIT ?)"
    ),
    Sql(
        "UPDATE notifications SET channel = NULL WHERE number IN"
        " (SELECT number FROM notifications WHERE channel = ? LIMIT ?)"
    ),
)
_REMOVE = Sql("DELETE FROM channels WHERE number = ?")
_SUBSCRIBE = Sql(
    "INSERT INTO subscriptions (channel, device, id, created_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (channel, device) DO NOTHING"
)
_SUBSCRIPTION = Sql("SELECT id FROM subscriptions WHERE channel = ? AND device = ?")


async def find(tx: Tx, name: str, app: tuple[int, str] | None = None) -> int | None:
    """The row number of the public channel with that name or id; or of the app's (its row number
    and its id)."""
    found = await room(tx, name, app)
    return None if found is None else found[0]


async def room(
    tx: Tx, name: str, app: tuple[int, str] | None = None
) -> tuple[int, str | None] | None:
    """The same, with the name of the key that publishing wants."""
    rows = await tx.fetch(_FIND, name if app is None else f"{app[1]}/{name}")
    if not rows and len(name) == UUID_LENGTH:
        rows = await tx.fetch(_FIND_BY_ID, name, 0 if app is None else app[0])
    return (rows[0][0], rows[0][1]) if rows else None


async def names(tx: Tx, ids: Collection[str]) -> dict[str, str]:
    """The names of the public channels among these ids."""
    return dict(await tx.fetch(_NAMES, msgspec.json.encode(sorted(ids)).decode()))


async def named(tx: Tx, name: str, app_id: str | None = None) -> Channel | None:
    """The channel by its name (in that app; None: among the public ones) or by its id (of that app;
    None: of anybody)."""
    rows = await tx.fetch(_BY_NAME, name if app_id is None else f"{app_id}/{name}")
    if not rows and len(name) == UUID_LENGTH:
        rows = await tx.fetch(_BY_ID, name)
    found = of_row(rows[0]) if rows else None
    return None if found is not None and app_id not in (None, found.app_id) else found


async def ensure(
    tx: Tx,
    id: str,  # noqa: A002 - the field's own name
    name: str,
    now: float,
    app: tuple[int, str] | None = None,
) -> int:
    """The row number of the channel with that name; made with `id` where there was none."""
    if app is None:
        await tx.execute(_ENSURE, id, name, now)
    else:
        name = f"{app[1]}/{name}"
        await tx.execute(_ENSURE_APP, id, name, app[0], now)
    return int((await tx.fetch(_FIND, name))[0][0])


async def create(tx: Tx, new: NewChannel, now: float) -> Channel | None:
    """A new channel; None if there is one of that name."""
    app, secret, publish = new.app, new.secret, new.publish
    made = await tx.execute(
        _CREATE,
        new.id,
        new.name if app is None else f"{app[1]}/{new.name}",
        None if app is None else app[0],
        new.title,
        *((None, None) if secret is None else (secret.name, secret.hash)),
        *((None, None) if publish is None else (publish.name, publish.hash)),
        now,
    )
    return of_row((await tx.fetch(_BY_ID, new.id))[0]) if made else None


async def count(tx: Tx, app: int) -> int:
    """How many channels an app has."""
    ((number,),) = await tx.fetch(_COUNT, app)
    return int(number)


async def page(tx: Tx, app: int, after: str, limit: int) -> list[Channel]:
    """At most `limit` channels of an app whose ids come after that one, in order."""
    return [of_row(row) for row in await tx.fetch(_PAGE, app, after, limit)]


async def change(tx: Tx, channel: Channel, title: str) -> Channel | None:
    """The channel with its new title; None if it is gone, or not as `channel` says any more."""
    if not await tx.execute(_CHANGE, title, channel.number, channel.version):
        return None
    return channel._replace(title=title, version=channel.version + 1)


async def delete(tx: Tx, channel: Channel, now: float) -> bool:
    """Nobody finds it from now on, nothing more goes out to it, and its name is free; False if it
    is not as `channel` says any more."""
    return await tx.execute(_BURY, now, channel.number, channel.version) == 1


async def sweep(tx: Tx, limit: int) -> int:
    """Take `limit` rows at most from what hangs on a deleted channel, and in the end the channel;
    how many went. What was said in it stays, without a channel."""
    rows = await tx.fetch(_BURIED)
    if not rows:
        return 0
    ((number,),) = rows
    for sql in _SWEEP:
        if swept := await tx.execute(sql, number, limit):
            return swept
    return await tx.execute(_REMOVE, number)


async def subscribe(
    tx: Tx, channel: int, devices: Sequence[tuple[int, str]], now: float
) -> list[str]:
    """Each subscription's id, in order, for (device, id if new); twice changes nothing."""
    await tx.execute_many(_SUBSCRIBE, [(channel, device, new, now) for device, new in devices])
    return [(await tx.fetch(_SUBSCRIPTION, channel, device))[0][0] for device, _ in devices]


def of_row(row: Row) -> Channel:
    """COLUMNS as a channel, its name without its app's id."""
    number, own, name, *rest = row
    return Channel(number, own, name.rpartition("/")[2], *rest)
