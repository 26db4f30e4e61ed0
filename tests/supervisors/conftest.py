"""What every supervisor test needs: a stage whose players do as their scripts say.

Tests ask for `autojump_clock`, so no time passes; pytest-trio finds a clock only among a test's
own arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import trio

from actors import Registry
from supervisors import (
    ChildSpec,
    Intensity,
    Report,
    ReportKind,
    RunningTree,
    Snapshot,
    State,
    SupervisorRef,
    SupervisorSpec,
    run_tree,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors import StartedCallback


@dataclass
class Script:
    """What a player does, in all its incarnations; may be rewritten while it plays."""

    start_takes: float = 0.0
    fail_starts: list[BaseException] = field(default_factory=list)  # one for each start
    polite: bool = True  # hands over a polite stop
    stop_takes: float = 0.0  # how long after it was asked
    stop_error: BaseException | None = None  # how it ends when it was asked
    stubborn: trio.Event | None = None  # shields itself until that is set


@dataclass
class Player:
    """One incarnation: somebody to be told what to do."""

    name: str
    number: int
    told: trio.Event = field(default_factory=trio.Event)
    error: BaseException | None = None
    asked: bool = False

    def crash(self, error: BaseException) -> None:
        """Raise this."""
        self.error = error
        self.told.set()

    def leave(self) -> None:
        """Return."""
        self.told.set()

    def ask(self) -> None:
        """The polite stop."""
        self.asked = True
        self.told.set()


class Stage:
    """Scripts, players and what they did. `acts` are (seconds, act, name)."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.registry = Registry()
        self.scripts: dict[str, Script] = {}
        self.players: dict[str, Player] = {}
        self.acts: list[tuple[float, str, str]] = []
        self.reports: list[Report] = []
        self.ended = trio.Event()
        self.error: BaseException | None = None
        self.tree: RunningTree | None = None
        self.began = trio.current_time()
        self.patient = Intensity(10**6, 1)

    def note(self, act: str, name: str) -> None:
        """Write down what happened now."""
        self.acts.append((round(trio.current_time() - self.began, 3), act, name))

    def did(self, *acts: str) -> list[str]:
        """What happened so far, as "act name", in order; only these acts if any are given."""
        return [f"{act} {name}" for _, act, name in self.acts if not acts or act in acts]

    def told(self, kind: ReportKind) -> list[Report]:
        """The reports of a kind."""
        return [report for report in self.reports if report.kind is kind]

    def child(self, name: str, script: Script | None = None, **policy: Any) -> ChildSpec:
        """A scripted child."""
        self.scripts[name] = script or Script()

        async def worker(*, task_status: StartedCallback) -> None:
            await self._play(name, task_status)

        return ChildSpec(name, worker, **policy)

    async def run(self, *children: ChildSpec, **spec: Any) -> SupervisorRef:
        """Start a tree whose root is called "top"; how it ends is in `error`."""
        house = SupervisorSpec(children or spec.pop("read", ()), name="top",
                               registry=self.registry, **spec)  # fmt: skip
        self.tree = await self.nursery.start(self._run, house)
        return SupervisorRef(self.registry, "top")

    async def stop(self) -> None:
        """Stop the tree politely and wait for its end."""
        assert self.tree is not None
        self.tree.stop()
        await self.ended.wait()

    def ids(self, rows: Sequence[Snapshot]) -> list[tuple[str, State]]:
        """The short form of a listing."""
        return [(row.id, row.state) for row in rows]

    async def _run(
        self, house: SupervisorSpec, *, task_status: trio.TaskStatus[RunningTree]
    ) -> None:
        try:
            await run_tree(house, name="top", reporter=self.reports.append, task_status=task_status)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            self.error = error
            if self.tree is None:
                raise
        finally:
            self.ended.set()

    async def _play(self, name: str, task_status: StartedCallback) -> None:
        script = self.scripts[name]
        before = self.players.get(name)
        player = Player(name, before.number + 1 if before else 1)
        self.players[name] = player
        self.note("start", name)
        try:
            await trio.sleep(script.start_takes)
            if script.fail_starts:
                raise script.fail_starts.pop(0)
            task_status.started(player.ask if script.polite else None)
            self.note("ready", name)
            await self._until_told(player, script)
        except trio.Cancelled:
            self.note("cancelled", name)
            if script.stubborn is not None:
                with trio.CancelScope(shield=True):
                    await script.stubborn.wait()
            raise
        finally:
            self.note("end", name)

    async def _until_told(self, player: Player, script: Script) -> None:
        await player.told.wait()
        if player.asked:
            self.note("asked", player.name)
            await trio.sleep(script.stop_takes)
            if script.stop_error is not None:
                raise script.stop_error
        if player.error is not None:
            raise player.error


@pytest.fixture
async def stage(nursery: trio.Nursery) -> Stage:
    """An empty stage."""
    return Stage(nursery)
