"""Instances as rows: versions, generations, an audit that nobody changes, nodes that lag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from booper.domain.errors import NotFound, Stale
from booper.domain.wanted import Wanted
from booper.ports import Sql
from booper.store import endings, instances, notifications, outbox
from booper.store.instances import Kept
from tests.booper.store.seeds import NOW, audience, expand_all

if TYPE_CHECKING:
    from booper.ports import Database, Tx

pytestmark = pytest.mark.real
MAIN = Wanted("main", "", "main", "apns", "api", 1, 1, 1, NOW, "test")
KEPT = Kept(1, "sealed", "{}", "f" * 16, NOW, "test")


async def put(database: Database, wanted: Wanted = MAIN) -> None:
    async def write(tx: Tx) -> None:
        assert await instances.insert(tx, wanted)
        await instances.keep(tx, wanted.key, KEPT)
        await instances.note(tx, wanted, "create", KEPT.fingerprint, "")

    await database.write(write)


async def test_a_row_comes_back_as_it_went(database: Database) -> None:
    full = msgspec.structs.replace(
        MAIN, proving=2, failed=3, share=0.25, words="no", started=False, preferred=True
    )
    await put(database, full)
    assert await database.read(instances.find, "main") == full
    assert await database.read(instances.every) == [full]
    assert await database.write(instances.insert, MAIN) is False, "there is one"


async def test_a_change_needs_the_version_it_was_made_from(database: Database) -> None:
    await put(database)
    second = msgspec.structs.replace(MAIN, version=2, enabled=False)
    assert await database.write(instances.save, second, 1)
    assert not await database.write(instances.save, MAIN, 1)
    assert await database.read(instances.known, "main") == second

    def stale(version: int) -> None:
        raise Stale(str(version))

    with pytest.raises(Stale):
        await database.write(instances.at, "main", stale)
    with pytest.raises(NotFound):
        await database.read(instances.known, "other")


async def test_credentials_that_nobody_needs_are_dropped(database: Database) -> None:
    await put(database)
    for number in (2, 3):
        await database.write(instances.keep, "main", KEPT._replace(number=number))
    await database.write(instances.drop_others, "main", (1, None, 3))
    assert await database.read(instances.generation, "main", 2) is None
    assert await database.read(instances.kept, "main", 3) == KEPT._replace(number=3)
    await database.write(instances.delete, "main")
    assert await database.read(instances.sealed) == []
    with pytest.raises(NotFound):
        await database.read(instances.kept, "main", 1)


async def test_there_is_one_default_for_a_tenant_and_provider(database: Database) -> None:
    await put(database, msgspec.structs.replace(MAIN, preferred=True))
    other = msgspec.structs.replace(
        MAIN, key="b", name="b", preferred=True, changed_at=9.0, changed_by="ann"
    )
    seen, _ = await database.read(instances.changed, 0)

    async def prefer(tx: Tx) -> list[str]:
        lost = await instances.unprefer(tx, other)
        await instances.insert(tx, other)
        return lost

    assert await database.write(prefer) == ["main"]
    first = await database.read(instances.known, "main")
    assert (first.preferred, first.version, first.changed_by) == (False, 2, "ann")
    (line, *_) = await database.read(instances.lines, "main", "", 2**62, 1)
    assert (line.verb, line.who, line.version, line.at) == ("unprefer", "ann", 2, 9.0)
    _, changed = await database.read(instances.changed, seen)
    assert changed == ["main"], "every node will look at it"


@pytest.mark.parametrize(
    "text", ["UPDATE instance_audit SET who = 'x'", "DELETE FROM instance_audit"]
)
async def test_the_audit_is_append_only_and_outlives_its_instance(
    database: Database, text: str
) -> None:
    await put(database)
    await database.write(instances.delete, "main")

    async def forge(tx: Tx) -> None:
        await tx.execute(Sql(text, text))

    with pytest.raises(Exception, match="append-only"):
        await database.write(forge)
    (line,) = await database.read(instances.lines, "main", "", 2**62, 10)
    assert (line.verb, line.who, line.fingerprint) == ("create", "test", KEPT.fingerprint)
    assert await database.read(instances.lines, "main", "tenant", 2**62, 10) == []
    assert await database.read(instances.last_numbers, "main") == (1, 1)


async def test_w13_what_nobody_could_send_in_time_ends_as_expired(database: Database) -> None:
    await audience(database, 3)
    await expand_all(database)
    assert await database.write(endings.late, "janitor", NOW + 1, 20) == 0
    assert await database.write(endings.late, "janitor", NOW + 1e6, 20) == 1
    assert await database.read(outbox.waiting) == []
    (own,) = [row[0] for row in await _ids(database)]
    shown = await database.read(notifications.progress, own)
    assert shown is not None
    assert (shown.state, shown.counts["expired"], shown.pending) == ("done", 3, 0)


async def _ids(database: Database) -> list[tuple[str]]:
    async def look(tx: Tx) -> list[tuple[str]]:
        text = "SELECT id FROM notifications"
        return [(row[0],) for row in await tx.fetch(Sql(text, text))]

    return await database.read(look)
