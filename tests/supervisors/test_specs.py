"""What a supervisor accepts to be told, and what it refuses by the name of the field."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from actors import Actor, Registry
from supervisors import (
    INFINITY,
    KILL,
    ONE_FOR_ONE,
    PERMANENT,
    TEMPORARY,
    Backoff,
    ChildSpec,
    Intensity,
    InvalidSpec,
    Restart,
    StartFailed,
    Strategy,
    SupervisorSpec,
    supervisor_spec,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trio.testing import MockClock

    from actors import StartedCallback
    from tests.supervisors.conftest import Stage


async def worker(*, task_status: StartedCallback) -> None:
    task_status.started(None)


def refused(make: Any, **values: object) -> InvalidSpec:
    with pytest.raises(InvalidSpec) as caught:
        make(**values)
    return caught.value


def test_b02_a_minimal_specification_gets_the_documented_defaults() -> None:
    spec = ChildSpec("one", worker)
    assert spec.restart is PERMANENT
    assert spec.shutdown == 5.0
    assert spec.kind == "worker"
    assert spec.start_timeout == 30.0
    house = SupervisorSpec()
    assert house.strategy is ONE_FOR_ONE
    assert (house.intensity.restarts, house.intensity.period) == (3, 5.0)
    assert house.backoff is None
    assert house.max_children is None
    assert house.grace == 1.0


def test_b02_a_supervisor_as_a_child_is_waited_for() -> None:
    spec = supervisor_spec("below", SupervisorSpec())
    assert spec.shutdown is INFINITY
    assert spec.kind == "supervisor"


async def test_b02_a_specification_can_be_read_back(
    stage: Stage, autojump_clock: MockClock
) -> None:
    spec = stage.child("one", restart=TEMPORARY)
    top = await stage.run(spec)
    (row,) = await top.which_children()
    assert (row.id, row.kind, row.restart) == ("one", "worker", TEMPORARY)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("id", ["", None, 3, b"x"]),
        ("start", [None, "worker", 3]),
        ("restart", ["permanent", None, True]),
        ("shutdown", [-1, math.nan, math.inf, "5", None, True, Restart.PERMANENT]),
        ("kind", ["actor", "", None]),
        ("start_timeout", [0, -1, math.inf, math.nan, KILL, "5", None, True]),
        ("probe", [3, "x"]),
    ],
)
def test_b03_every_field_of_a_child_is_refused_by_name(field: str, values: list[object]) -> None:
    good = {"id": "one", "start": worker}
    for value in values:
        error = refused(ChildSpec, **{**good, field: value})
        assert error.field == field
        assert str(error).startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("children", [3, None, "ab", [3], {"one": worker}]),
        ("strategy", ["one_for_one", None]),
        ("intensity", [3, (3, 5)]),
        ("backoff", [1.0, "fast"]),
        ("max_children", [-1, 1.5, True, "9"]),
        ("grace", [-1, math.inf, None]),
        ("name", ["", 3]),
        ("registry", [{}, 3]),
    ],
)
def test_b03_every_field_of_a_supervisor_is_refused_by_name(
    field: str, values: list[object]
) -> None:
    for value in values:
        assert refused(SupervisorSpec, **{field: value}).field == field


def test_b03_name_and_registry_go_together() -> None:
    assert refused(SupervisorSpec, name="top").field == "registry"
    assert refused(SupervisorSpec, registry=Registry()).field == "name"


@pytest.mark.parametrize(
    ("make", "field", "values"),
    [
        (Intensity, "restarts", [-1, 1.0, None, True]),
        (Intensity, "period", [0, -1, math.inf, math.nan, "5"]),
        (Backoff, "first", [-1, math.nan]),
        (Backoff, "base", [-1, math.inf]),
        (Backoff, "cap", [-1, math.inf]),
        (Backoff, "steady", [-1, math.inf]),
        (Backoff, "factor", [0.5, math.inf, "2"]),
        (Backoff, "jitter", [-0.1, 1.1, None]),
        (Backoff, "dice", [3]),
    ],
)
def test_b03_rates_and_delays_are_refused_by_name(
    make: Any, field: str, values: list[object]
) -> None:
    for value in values:
        assert refused(make, **{field: value}).field == field


def test_b03_jitter_needs_dice() -> None:
    assert refused(Backoff, jitter=0.5).field == "dice"


def test_b03_no_id_twice_and_no_more_than_allowed() -> None:
    twins = [ChildSpec("one", worker), ChildSpec("one", worker)]
    assert refused(SupervisorSpec, children=twins).field == "children"
    pair = [ChildSpec("one", worker), ChildSpec("two", worker)]
    assert refused(SupervisorSpec, children=pair, max_children=1).field == "children"


@pytest.mark.parametrize("shutdown", [0, 2, 0.5, INFINITY, KILL])
@pytest.mark.parametrize("restart", Restart)
@pytest.mark.parametrize("kind", ["worker", "supervisor"])
def test_b03_all_valid_values_are_accepted(shutdown: Any, restart: Restart, kind: Any) -> None:
    spec = ChildSpec("one", worker, restart=restart, shutdown=shutdown, kind=kind)
    assert (spec.shutdown, spec.restart, spec.kind) == (shutdown, restart, kind)


def test_b03_unknown_and_missing_keys_are_refused() -> None:
    assert ChildSpec.of({"id": "one", "start": worker, "shutdown": 2}).shutdown == 2
    assert SupervisorSpec.of({"strategy": Strategy.ONE_FOR_ALL}).intensity == Intensity()
    assert (
        refused(lambda: ChildSpec.of({"id": "one", "start": worker, "colour": 1})).field == "colour"
    )
    assert refused(lambda: SupervisorSpec.of({"strategie": 1})).field == "strategie"
    assert refused(lambda: ChildSpec.of({"id": "one"})).field == "start"
    assert refused(lambda: ChildSpec.of({})).field == "id"


def test_b18_significant_children_and_auto_shutdown_are_refused() -> None:
    significant = {"id": "one", "start": worker, "significant": True}
    assert refused(lambda: ChildSpec.of(significant)).field == "significant"
    assert refused(lambda: SupervisorSpec.of({"auto_shutdown": "never"})).field == "auto_shutdown"
    with pytest.raises(TypeError, match="significant"):
        ChildSpec("one", worker, significant=True)  # type: ignore[call-arg]


async def test_b03_nothing_starts_when_the_read_children_are_invalid(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def read() -> Sequence[ChildSpec]:
        return [stage.child("one"), stage.child("one")]

    with pytest.raises(StartFailed) as caught:
        await stage.run(read=read)
    assert isinstance(caught.value.__cause__, InvalidSpec)
    assert stage.acts == []
    assert stage.registry.names() == ()


def test_an_actor_is_a_child_under_its_id_unless_it_is_named() -> None:
    assert ChildSpec.actor("one", Actor, Registry(), init_timeout=2).start_timeout == 3
    assert (
        refused(ChildSpec.actor, id="one", factory=Actor, registry=Registry(), name="").field
        == "name"
    )


def test_an_invalid_specification_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(InvalidSpec("id", "empty")))
    assert (error.field, error.why) == ("id", "empty")
