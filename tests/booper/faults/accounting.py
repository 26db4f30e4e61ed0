"""The accounting law, once: what was accepted is accounted for, each device once.

Three witnesses are heard when a run is over: the clients (which id was answered to which key), the
store (rows and outcomes), and the providers' ledgers (what arrived). The law:

    accepted (202) = accepted by the provider + failed + gone + expired + cancelled + still queued

with no id missing and none invented, one row for each key, and no more doubles than the store
itself says there may be: those that were under way at a kill.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from booper.ports import Sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from booper.ports import Database, Tx

PAGE = 5_000

_NOTIFICATIONS = Sql(
    "SELECT number, id, state, devices, accepted + delivered, failed, gone, expired,"
    " not_configured + receipt_unknown, maybe_doubled FROM notifications WHERE number > ?"
    " ORDER BY number LIMIT ?"
)
_DELIVERIES = Sql(
    "SELECT notification, device, outcome FROM every_delivery WHERE (notification, device) > (?, ?)"
    " ORDER BY notification, device LIMIT ?"
)
_WAITING = Sql("SELECT notification, size, lease IS NOT NULL FROM batches")
_PARKED = Sql("SELECT notification, size FROM parked")
_FANOUTS = Sql("SELECT notification FROM fanouts")
_AUDIENCE = Sql("SELECT number FROM devices ORDER BY number")


class Row(NamedTuple):
    """A notification as the store has it."""

    number: int
    id: str
    state: str
    devices: int
    accepted: int
    failed: int
    gone: int
    expired: int
    other: int
    maybe_doubled: int

    @property
    def ended(self) -> int:
        return self.accepted + self.failed + self.gone + self.expired + self.other


class Store(NamedTuple):
    """What the store says. `outcomes`: (notification number, device) → its final outcome."""

    rows: Sequence[Row]
    outcomes: Mapping[tuple[int, int], str]
    pending: Counter[int]  # devices in batches, also in parked ones, by notification number
    leased: int  # batches
    fanouts: frozenset[int]
    devices: Sequence[int]


class Books(NamedTuple):
    """All that was said. `ledger`: (device token, push id) → how often it was accepted."""

    answers: Mapping[str, set[str]]
    store: Store
    ledger: Counter[tuple[str, str]]


class Figures(NamedTuple):
    """The law in numbers; those of a good run are 0 up to `waiting`."""

    unanswered: int  # ids that a 202 named and the store does not know
    invented: int  # rows that no 202 named
    rows_per_key: float  # the greatest number
    lost: int  # (notification, device) that the store calls accepted and no ledger knows
    unasked: int  # pushes in a ledger that nobody asked for, or to a foreign device
    untold: int  # devices whose outcome is missing, or counted wrong
    waiting: int  # devices without an end yet
    duplicates: int
    doubted: int  # how many the store says may be double
    failed: int
    pushes: int

    @property
    def lawful(self) -> bool:
        wrong = self.unanswered + self.invented + self.lost + self.unasked + self.untold
        return wrong == 0 and self.rows_per_key <= 1 and self.duplicates <= self.doubted


async def read(database: Database) -> Store:
    """Everything the store knows, in pages."""
    rows: list[Row] = []
    while page := await database.read(_page, _NOTIFICATIONS, rows[-1].number if rows else 0):
        rows += [Row(*row) for row in page]
    outcomes: dict[tuple[int, int], str] = {}
    last = (0, 0)
    while page := await database.read(_page, _DELIVERIES, *last):
        outcomes |= {(notification, device): outcome for notification, device, outcome in page}
        last = (page[-1][0], page[-1][1])
    batches = await database.read(_all, _WAITING)
    pending: Counter[int] = Counter()
    for notification, size, *_ in (*batches, *await database.read(_all, _PARKED)):
        pending[notification] += size
    return Store(
        rows,
        outcomes,
        pending,
        sum(1 for *_, leased in batches if leased),
        frozenset(row[0] for row in await database.read(_all, _FANOUTS)),
        [row[0] for row in await database.read(_all, _AUDIENCE)],
    )


async def _page(tx: Tx, sql: Sql, *after: int) -> list[Any]:
    return await tx.fetch(sql, *after, PAGE)


async def _all(tx: Tx, sql: Sql) -> list[Any]:
    return await tx.fetch(sql)


def balance(books: Books) -> Figures:
    """The figures of a run in which every notification went to every device of the store."""
    store = books.store
    known = {row.id for row in store.rows}
    named = set().union(*books.answers.values()) if books.answers else set()
    wanted = {
        push_id(row.id, device): (row, device) for row in store.rows for device in store.devices
    }
    arrived: Counter[str] = Counter()
    for (_, push), count in books.ledger.items():
        arrived[push] += count
    ends = Counter(number for number, _ in store.outcomes)
    said = Counter(
        number for (number, _), outcome in store.outcomes.items() if outcome == "accepted"
    )
    untold = 0
    for row in store.rows:
        queued = row.number in store.fanouts
        untold += abs(row.devices - row.ended - store.pending[row.number])
        untold += abs(row.ended - ends[row.number]) + abs(row.accepted - said[row.number])
        untold += 0 if queued else abs(row.devices - len(store.devices))
    return Figures(
        unanswered=len(named - known),
        invented=len(known - named),
        rows_per_key=max((len(ids) for ids in books.answers.values()), default=0),
        lost=sum(
            1
            for push, (row, device) in wanted.items()
            if store.outcomes.get((row.number, device)) == "accepted" and not arrived[push]
        ),
        unasked=len(arrived.keys() - wanted.keys()) + len(books.ledger) - len(arrived),
        untold=untold,
        waiting=len(wanted) - len(store.outcomes),
        duplicates=sum(arrived.values()) - len(arrived),
        doubted=sum(row.maybe_doubled for row in store.rows),
        failed=sum(row.ended - row.accepted for row in store.rows),
        pushes=sum(arrived.values()),
    )


def push_id(notification: str, device: int) -> str:
    """The apns-id of a push: the notification's id with the device's number at its end."""
    return f"{notification[:24]}{device:012x}"
