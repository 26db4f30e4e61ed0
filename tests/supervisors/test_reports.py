"""What is told about crashes: once, within bounds, and nothing that the redactor hides."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from actors import LATER, Actor, ActorDown, Call, Cast, Ref
from supervisors import (
    PERMANENT,
    ChildSpec,
    Failure,
    Intensity,
    Report,
    ReportKind,
    RunningTree,
    SupervisorSpec,
    log_report,
    run_tree,
    supervisor_spec,
)
from supervisors.report import HIDDEN, MAX_CAUSES, MAX_FRAMES, MAX_READ, MAX_TEXT, describe

if TYPE_CHECKING:
    from trio.testing import MockClock

    from actors import Reply
    from supervisors import Redactor
    from tests.supervisors.conftest import Stage

SECRET = "sk_live_4f9a77"


def hide(text: str) -> str:
    return re.sub(r"sk_live_\w+", "[key]", text)


def broken(text: str) -> str:
    raise ValueError(text)


@dataclass(frozen=True)
class Use(Cast):
    key: str


class Leaky(Actor):
    """Has the secret in its state, its message, its locals, its exceptions and their causes."""

    async def init(self) -> None:
        self.key = SECRET

    async def handle_cast(self, message: Cast) -> None:
        assert isinstance(message, Use)
        local = {"key": message.key + self.key}
        try:
            raise KeyError(local["key"])
        except KeyError as error:
            raise type(f"Bad_{SECRET}", (ValueError,), {})(
                f"refused: {SECRET} in {local}"
            ) from error


async def leak(stage: Stage, redact: Redactor) -> tuple[list[Report], RunningTree]:
    reports: list[Report] = []

    def reporter(report: Report) -> None:
        reports.append(report)
        log_report(report)

    low = SupervisorSpec(
        [ChildSpec.actor("leaky", Leaky, stage.registry)], intensity=Intensity(0, 5)
    )
    tree: RunningTree = await stage.nursery.start(
        lambda task_status: run_tree(
            SupervisorSpec([supervisor_spec("low", low)]),
            reporter=reporter, redact=redact, task_status=task_status,
        )
    )  # fmt: skip
    Ref(stage.registry, "leaky").cast(Use(SECRET))
    await trio.testing.wait_all_tasks_blocked()
    return reports, tree


async def test_b44_no_secret_is_in_any_report_snapshot_or_log(
    stage: Stage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reports, tree = await leak(stage, hide)
    crash = reports[0]
    assert crash.failure is not None
    assert crash.failure.text == "refused: [key] in {'key': '[key]'}"
    assert crash.failure.type == "Bad_[key]"
    assert crash.failure.causes[0].type == "KeyError"
    shown = repr(reports) + repr(tree.snapshot()) + caplog.text
    assert "leaky" in shown
    assert SECRET not in shown
    tree.stop()


async def test_b44_a_crashing_redactor_hides_everything(
    stage: Stage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reports, tree = await leak(stage, broken)
    assert reports[0].failure == Failure(HIDDEN)
    assert SECRET not in repr(reports) + repr(tree.snapshot()) + caplog.text
    tree.stop()


@pytest.mark.parametrize("answer", [None, 3, b"bytes"])
def test_b44_a_redactor_that_answers_junk_hides_everything(answer: object) -> None:
    assert describe(ValueError(SECRET), lambda _: answer) == Failure(HIDDEN)  # type: ignore[arg-type,return-value]


async def test_b44_one_crash_is_one_report_on_all_levels(
    stage: Stage, autojump_clock: MockClock
) -> None:
    reports, tree = await leak(stage, hide)
    kinds = [(report.kind, report.supervisor, report.child) for report in reports]
    assert kinds == [
        (ReportKind.CRASH, "root/low", "leaky"),
        (ReportKind.GAVE_UP, "root/low", "leaky"),
        (ReportKind.RESTART, "root", "low"),
    ]
    tree.stop()


def size(failure: Failure) -> int:
    """All characters in it."""
    own = len(failure.type) + len(failure.text) + sum(map(len, failure.trace))
    return own + sum(size(cause) for cause in failure.causes)


def nested(depth: int) -> Exception:
    """An exception group of groups, three wide, each with a long message."""
    if depth == 0:
        return ValueError("long " * 1000)
    return ExceptionGroup("group " * 1000, [nested(depth - 1) for _ in range(3)])


def test_b44_a_report_is_bounded_in_size_and_depth() -> None:
    failure = describe(nested(7), hide)
    assert size(failure) < (MAX_CAUSES + 1) * (2 * MAX_TEXT + MAX_FRAMES * 200)
    depth, below = 0, failure
    while below.causes:
        depth, below = depth + 1, below.causes[0]
    assert depth == 3
    assert len(failure.text) == MAX_TEXT
    assert failure.text.endswith("…")


def test_b44_a_secret_at_the_cut_is_hidden_before_it_is_cut() -> None:
    text = "x" * (MAX_TEXT - 6) + " " + SECRET
    assert "sk_" not in describe(ValueError(text), hide).text


def test_b44_a_message_too_long_to_read_is_not_shown() -> None:
    assert describe(ValueError("y" * (MAX_READ + 1)), hide).text == f"<{MAX_READ + 1} characters>"


def test_b44_the_trace_names_files_and_functions_and_is_bounded() -> None:
    def recurse(depth: int) -> None:
        if depth == 0:
            raise ValueError("deep")
        recurse(depth - 1)

    try:
        recurse(50)
    except ValueError as error:
        failure = describe(error, hide)
    assert len(failure.trace) == MAX_FRAMES
    assert all(re.fullmatch(r"test_reports\.py:\d+ recurse", frame) for frame in failure.trace)


def test_b44_causes_that_go_in_a_circle_are_told_once() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    failure = describe(first, hide)
    assert [cause.text for cause in failure.causes] == ["b"]
    assert failure.causes[0].causes == ()


def test_b44_a_context_is_told_unless_it_was_suppressed() -> None:
    def raised(*, suppress: bool) -> Failure:
        try:
            try:
                raise KeyError("first")
            except KeyError:
                if suppress:
                    raise ValueError("second") from None
                raise ValueError("second")  # noqa: B904
        except ValueError as error:
            return describe(error, hide)

    assert [cause.type for cause in raised(suppress=False).causes] == ["KeyError"]
    assert raised(suppress=True).causes == ()


def test_b44_an_exception_that_cannot_be_printed_is_still_told() -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError(SECRET)

    failure = describe(Unprintable(), hide)
    assert (failure.type, failure.text) == ("Unprintable", "<unprintable>")
    assert str(failure) == "Unprintable: <unprintable>"
    assert str(Failure("Empty")) == "Empty"


async def test_a_reporter_that_fails_harms_nobody(
    stage: Stage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(report: Report) -> None:
        raise OSError(SECRET)

    tree: RunningTree = await stage.nursery.start(
        lambda task_status: run_tree(
            SupervisorSpec([stage.child("a", restart=PERMANENT)]),
            reporter=failing, task_status=task_status,
        )
    )  # fmt: skip
    stage.players["a"].crash(ValueError())
    await trio.testing.wait_all_tasks_blocked()
    assert stage.players["a"].number == 2
    assert "the reporter failed: OSError" in caplog.text
    assert SECRET not in caplog.text
    tree.stop()


class Ask(Call[int]):
    pass


class Failing(Actor):
    async def handle_call(self, message: Call[object], reply: Reply[object]) -> object:
        self.nursery.start_soon(self.fail)
        return LATER

    async def fail(self) -> None:
        raise LookupError("in a task")


async def test_b46_a_crash_of_an_actors_task_is_one_report_of_the_actor(
    stage: Stage, autojump_clock: MockClock
) -> None:
    await stage.run(ChildSpec.actor("one", Failing, stage.registry))
    with pytest.raises(ActorDown):
        await Ref(stage.registry, "one").call(Ask())
    await trio.testing.wait_all_tasks_blocked()
    (crash,) = stage.told(ReportKind.CRASH)
    assert crash.failure is not None
    assert (crash.failure.type, crash.failure.text) == ("LookupError", "in a task")
