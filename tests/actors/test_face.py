"""The public face: its types, for a type checker and its reader, and its names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_type

import pytest
import trio

import actors
from actors import (
    Actor,
    Call,
    Cast,
    Down,
    NoActor,
    PendingReply,
    Ref,
    Registry,
    Reply,
    Statistics,
    Worker,
    actor_worker,
)

if TYPE_CHECKING:
    from trio.testing import MockClock

    from tests.actors.conftest import House


@dataclass(frozen=True, slots=True)
class Depth(Call[int]):
    pass


@dataclass(frozen=True, slots=True)
class Title(Call[str | None]):
    pass


@dataclass(frozen=True, slots=True)
class Note(Cast):
    pass


class Typed(Actor):
    async def handle_call(self, message: Call[Any], reply: Reply[Any]) -> Any:
        match message:
            case Depth():
                return 3
            case _:
                return None


async def test_an_answer_has_the_type_its_message_promises(
    house: House, autojump_clock: MockClock
) -> None:
    """Checked by mypy; at run time assert_type gives back its argument."""
    ref = await house.start(Typed)
    assert assert_type(await ref.call(Depth()), int) == 3
    assert assert_type(await ref.call(Title()), str | None) is None
    assert assert_type(await assert_type(ref.request(Depth()), PendingReply[int]).wait(), int) == 3
    assert assert_type(ref.statistics(), Statistics | None) is not None
    assert assert_type(await ref.stop(), Down).reason == "normal"


async def test_a_cast_cannot_be_called_nor_a_call_cast() -> None:
    """mypy refuses both lines; `warn_unused_ignores` makes sure that it goes on doing so."""
    nobody = Ref(Registry(), "nobody")
    with pytest.raises(NoActor):
        nobody.cast(Depth())  # type: ignore[arg-type]
    with pytest.raises(NoActor):
        await nobody.call(Note())  # type: ignore[arg-type]


async def test_any_async_function_can_be_a_worker(nursery: trio.Nursery) -> None:
    async def plain(*, task_status: trio.TaskStatus[actors.Stop | None]) -> None:
        task_status.started(None)

    async def lenient(
        task_status: trio.TaskStatus[actors.Stop | None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        task_status.started(None)

    workers: list[Worker] = [plain, lenient, actor_worker(Typed, Registry(), "typed")]
    stops = [await nursery.start(worker) for worker in workers]
    assert [stop is None for stop in stops] == [True, True, False]


def test_the_public_names_exist() -> None:
    assert all(hasattr(actors, name) for name in actors.__all__)
    assert len(set(actors.__all__)) == len(actors.__all__)
