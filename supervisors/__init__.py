"""Supervisors on trio: OTP's supervisor. The second floor; it knows trio and `actors` only.

    registry = Registry()
    house = SupervisorSpec(
        strategy=Strategy.REST_FOR_ONE,
        children=(
            ChildSpec.actor("counter", Counter, registry),
            supervisor_spec("rooms", SupervisorSpec(name="rooms", registry=registry)),
        ),
    )
    trio.run(run_tree, house)

    rooms = SupervisorRef(registry, "rooms")
    await rooms.start_child(ChildSpec.actor("kitchen", Kitchen, registry))

Any async function that calls `task_status.started(stop)` is a child, an actor is just one of them.
Where what lives: child_spec and supervisor_spec (what one is told), restart (the decisions, pure),
life (one task behind its barrier), family (start, halt), mender (restarts), orders and front (what
may be asked of a running supervisor), report and snapshot (what is told), root (the top).

What differs from OTP: unknown keys in a specification are refused, and there is no auto_shutdown;
a restart may be delayed by a Backoff; a child terminated by order stays down when its siblings are
restarted; dynamic children are known by id; a child that cannot be stopped is reported as leaked
and abandoned, because trio cannot end a task that shields itself or never waits.
"""

from supervisors.child_spec import ChildSpec, Shutdown
from supervisors.errors import (
    AlreadyPresent,
    AlreadyStarted,
    ChildError,
    Escalated,
    InvalidSpec,
    Leaked,
    MaxChildren,
    NeverStarted,
    NotFound,
    Restarting,
    Running,
    ShutdownReason,
    ShuttingDown,
    StartCancelled,
    StartFailed,
    StartTimeout,
    SupervisorError,
)
from supervisors.messages import (
    CountChildren,
    DeleteChild,
    KillChild,
    RemoveChild,
    ReplaceSpec,
    RestartChild,
    StartChild,
    TakeSnapshot,
    TerminateChild,
    WhichChildren,
)
from supervisors.report import Failure, Redactor, Report, Reporter, ReportKind, log_report
from supervisors.restart import Backoff, How, Intensity, Restart, Strategy
from supervisors.root import RunningTree, run_tree
from supervisors.snapshot import Counts, Snapshot, State
from supervisors.supervisor import Supervisor, supervisor_spec
from supervisors.supervisor_ref import SupervisorRef
from supervisors.supervisor_spec import SupervisorSpec

INFINITY = Shutdown.INFINITY
KILL = Shutdown.KILL
PERMANENT, TRANSIENT, TEMPORARY = Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY
ONE_FOR_ONE = Strategy.ONE_FOR_ONE
ONE_FOR_ALL = Strategy.ONE_FOR_ALL
REST_FOR_ONE = Strategy.REST_FOR_ONE

__all__ = [
    "INFINITY",
    "KILL",
    "ONE_FOR_ALL",
    "ONE_FOR_ONE",
    "PERMANENT",
    "REST_FOR_ONE",
    "TEMPORARY",
    "TRANSIENT",
    "AlreadyPresent",
    "AlreadyStarted",
    "Backoff",
    "ChildError",
    "ChildSpec",
    "CountChildren",
    "Counts",
    "DeleteChild",
    "Escalated",
    "Failure",
    "How",
    "Intensity",
    "InvalidSpec",
    "KillChild",
    "Leaked",
    "MaxChildren",
    "NeverStarted",
    "NotFound",
    "Redactor",
    "RemoveChild",
    "ReplaceSpec",
    "Report",
    "ReportKind",
    "Reporter",
    "Restart",
    "RestartChild",
    "Restarting",
    "Running",
    "RunningTree",
    "Shutdown",
    "ShutdownReason",
    "ShuttingDown",
    "Snapshot",
    "StartCancelled",
    "StartChild",
    "StartFailed",
    "StartTimeout",
    "State",
    "Strategy",
    "Supervisor",
    "SupervisorError",
    "SupervisorRef",
    "SupervisorSpec",
    "TakeSnapshot",
    "TerminateChild",
    "WhichChildren",
    "log_report",
    "run_tree",
    "supervisor_spec",
]
