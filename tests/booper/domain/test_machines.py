"""State machines: a step is in the table or it is refused and changes nothing."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from booper.domain import breaker, instance, notification
from booper.domain.machine import IllegalStep, Machine


class Lamp(Enum):
    OFF = "off"
    ON = "on"
    BROKEN = "broken"


class Touch(Enum):
    PRESS = "press"
    DROP = "drop"


LAMP = Machine(
    "lamp",
    {
        Lamp.OFF: {Touch.PRESS: Lamp.ON, Touch.DROP: Lamp.BROKEN},
        Lamp.ON: {Touch.PRESS: Lamp.OFF},
    },
)


def test_a_step_follows_the_table() -> None:
    assert LAMP.step(Lamp.OFF, Touch.PRESS) is Lamp.ON
    assert LAMP.step(Lamp.ON, Touch.PRESS) is Lamp.OFF


@pytest.mark.parametrize(
    ("state", "event"),
    [(Lamp.ON, Touch.DROP), (Lamp.BROKEN, Touch.PRESS), (Lamp.BROKEN, Touch.DROP)],
)
def test_an_illegal_step_raises_and_changes_nothing(state: Lamp, event: Touch) -> None:
    before = {known: dict(steps) for known, steps in LAMP.table.items()}
    with pytest.raises(IllegalStep, match=rf"^lamp: {event.value} in {state.value}$"):
        LAMP.step(state, event)
    assert before == LAMP.table


def test_a_state_without_steps_is_final() -> None:
    assert [state for state in Lamp if LAMP.final(state)] == [Lamp.BROKEN]


def test_the_diagram_has_one_line_a_step() -> None:
    assert LAMP.diagram() == ("off --press--> on\noff --drop--> broken\non --press--> off")


@pytest.mark.parametrize(
    ("machine", "states"),
    [
        (notification.MACHINE, notification.State),
        (instance.MACHINE, instance.State),
        (breaker.MACHINE, breaker.State),
    ],
    ids=["notification", "instance", "breaker"],
)
def test_every_state_of_the_product_stands_in_its_table(
    machine: Machine[Any, Any], states: type[Enum]
) -> None:
    assert set(machine.table) == set(states)
    reached = {after for steps in machine.table.values() for after in steps.values()}
    assert reached | {next(iter(states))} == set(states), "a state that nothing leads to"


def test_a_notification_only_goes_forward_but_for_what_a_receipt_asks_for_again() -> None:
    state, event = notification.State, notification.Event
    step = notification.MACHINE.step
    assert step(state.QUEUED, event.FANNED_OUT) is state.SENDING
    assert step(state.SENDING, event.ALL_FINAL) is state.DONE
    assert [s for s in state if notification.MACHINE.final(s)] == [state.CANCELLED]
    assert step(state.DONE, event.REOPENED) is state.SENDING
    for one in set(event) - {event.REOPENED}:
        with pytest.raises(IllegalStep):
            step(state.DONE, one)


def test_an_instance_knows_every_event_in_every_state_and_never_leaves_stopping() -> None:
    for state in instance.State:
        for event in instance.Event:
            instance.MACHINE.step(state, event)
        assert instance.MACHINE.step(state, instance.Event.STOP) is instance.State.STOPPING
    for event in instance.Event:
        after = instance.MACHINE.step(instance.State.STOPPING, event)
        assert after is instance.State.STOPPING


def test_a_refused_instance_is_only_freed_by_a_push_that_was_accepted() -> None:
    refused = instance.State.REFUSED
    leads = {event: instance.MACHINE.step(refused, event) for event in instance.Event}
    freed = {event for event, after in leads.items() if after is instance.State.READY}
    assert freed == {instance.Event.SENT}
