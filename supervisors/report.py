"""What a supervisor tells about its children: frozen values, bounded in size, without secrets.

Every foreign text goes through the tree's redactor before it is cut to size, because a cut secret
would no longer be recognised. No local variables, no source lines and no exception objects are
kept. A redactor that fails hides everything instead of showing it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import PurePath
from traceback import walk_tb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from supervisors.restart import How

MAX_TEXT = 500  # characters of one message
MAX_READ = 65_536  # a longer message is not read at all
MAX_FRAMES = 12
MAX_DEPTH = 4
MAX_CAUSES = 8  # causes and group members of one failure, all levels together
HIDDEN = "<hidden>"

log = logging.getLogger("supervisors")


class ReportKind(Enum):
    """What happened."""

    CRASH = "crash"  # a child ended abnormally; exactly one report for each
    RESTART = "restart"  # it will be started again, after `delay` seconds
    START_FAILED = "start_failed"  # one try to start it failed
    GAVE_UP = "gave_up"  # too many restarts: the supervisor ends
    SHUTDOWN_ERROR = "shutdown_error"  # asked to end, it crashed or had to be killed
    LEAKED = "leaked"  # killed, and its task is still there


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as text: its type, its message, where it was raised, what caused it."""

    type: str
    text: str = ""
    trace: tuple[str, ...] = ()  # "file.py:12 function", innermost last
    causes: tuple[Failure, ...] = ()

    def __str__(self) -> str:
        return f"{self.type}: {self.text}" if self.text else self.type


@dataclass(frozen=True, slots=True)
class Report:
    """One event in the life of a child. `at` is trio's clock; ids are shown as they are."""

    kind: ReportKind
    supervisor: str  # path from the root: "booper/instances"
    child: str
    at: float
    how: How | None = None
    failure: Failure | None = None
    restarts: int = 0  # of this child, since its supervisor started
    delay: float = 0.0


Reporter = Callable[[Report], None]
Redactor = Callable[[str], str]


def as_it_is(text: str) -> str:
    """The redactor of a tree that was given none."""
    return text


def describe(error: BaseException, redact: Redactor) -> Failure:
    """The failure as a bounded, redacted value; never raises, whatever `error` and `redact` do."""
    try:
        return _describe(error, redact, MAX_DEPTH, [MAX_CAUSES], {id(error)})
    except Exception:  # noqa: BLE001  (a redactor that fails must show nothing)
        return Failure(HIDDEN)


def _describe(
    error: BaseException, redact: Redactor, depth: int, budget: list[int], seen: set[int]
) -> Failure:
    causes: list[Failure] = []
    for cause in _causes(error):
        if depth > 1 and budget[0] > 0 and id(cause) not in seen:
            budget[0] -= 1
            seen.add(id(cause))
            causes.append(_describe(cause, redact, depth - 1, budget, seen))
    frames = [
        f"{PurePath(frame.f_code.co_filename).name}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    return Failure(
        _clean(type(error).__name__, redact),
        _clean(_message(error), redact),
        tuple(_clean(frame, redact) for frame in frames[-MAX_FRAMES:]),
        tuple(causes),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        yield from islice(error.exceptions, MAX_CAUSES)
    if error.__cause__ is not None:
        yield error.__cause__
    elif error.__context__ is not None and not error.__suppress_context__:
        yield error.__context__


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  (foreign code)
        return "<unprintable>"


def _clean(text: str, redact: Redactor) -> str:
    if len(text) > MAX_READ:
        return f"<{len(text)} characters>"
    text = redact(text)
    if not isinstance(text, str):
        raise TypeError("a redactor returns text")
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def log_report(report: Report) -> None:
    """The reporter of a tree that was given none: one line in the log "supervisors"."""
    level = logging.INFO if report.kind is ReportKind.RESTART else logging.ERROR
    reason = report.failure or (report.how.value if report.how else "")
    log.log(
        level,
        "%s %s/%s restarts=%d delay=%.3f %s",
        report.kind.value, report.supervisor, report.child, report.restarts, report.delay, reason,
    )  # fmt: skip


def send(report: Report, reporter: Reporter) -> None:
    """Hand the report over; a reporter that fails harms nobody."""
    try:
        reporter(report)
    except Exception as error:  # noqa: BLE001  (a supervisor outlives its reporter)
        log.error("the reporter failed: %s", type(error).__name__)
