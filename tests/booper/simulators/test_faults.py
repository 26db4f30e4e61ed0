"""The script book: whom a fault meets, how often, and how it reads as JSON."""

from __future__ import annotations

import msgspec
import pytest

from booper.simulators.faults import (
    Answer,
    AnyFault,
    Dead,
    Delay,
    Faults,
    FewStreams,
    GoAway,
    Hangup,
    Reset,
    Script,
    StuckWindow,
)

BUSY = Answer(503, "ServiceUnavailable")


def met(faults: Faults, device: str) -> list[AnyFault]:
    """The faults that meet one request to `device`, all of them used."""
    scripts = faults.matching(device)
    for script in scripts:
        faults.use(script)
    return [script.fault for script in scripts]


def test_a_script_for_one_device_meets_that_device_only() -> None:
    faults = Faults()
    faults.script(BUSY, device="AB")
    assert met(faults, "ab") == [BUSY]
    assert met(faults, "AB") == [BUSY]
    assert met(faults, "cd") == []


def test_a_script_ends_after_its_times() -> None:
    faults = Faults([Script(BUSY, times=2), Script(Hangup(), "ab", 1)])
    assert met(faults, "ab") == [Hangup(), BUSY]
    assert met(faults, "ab") == [BUSY]
    assert met(faults, "ab") == []
    assert len(faults) == 0


def test_equal_scripts_are_used_one_after_the_other() -> None:
    faults = Faults([Script(BUSY, times=1), Script(BUSY, times=1)])
    first, second = faults.matching("ab")
    assert first is not second
    faults.use(second)
    assert faults.matching("ab") == (first,)
    faults.use(second)
    assert len(faults) == 1


def test_a_script_struck_meanwhile_may_be_used() -> None:
    faults = Faults([Script(BUSY, "ab", times=1)])
    (script,) = faults.matching("ab")
    faults.clear()
    faults.use(script)
    assert list(faults) == []


def test_a_greeting_is_made_of_windows_and_streams_for_all() -> None:
    few, stuck = Script(FewStreams(3)), Script(StuckWindow())
    faults = Faults([few, Script(BUSY), stuck, Script(FewStreams(1), "ab")])
    assert faults.greeting() == (few, stuck)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Answer(410, "Unregistered", timestamp=17, retry_after=3), "answer"),
        (Delay(0.5), "delay"),
        (GoAway(after=3, code=2, reason="x"), "goaway"),
        (Reset(8, accepted=True), "reset"),
        (StuckWindow(), "stuckwindow"),
        (Dead(), "dead"),
        (Hangup(), "hangup"),
        (FewStreams(2), "fewstreams"),
    ],
)
def test_every_fault_travels_as_json(fault: AnyFault, kind: str) -> None:
    text = msgspec.json.encode(Script(fault, "ab", 3))
    assert msgspec.json.decode(text)["fault"]["kind"] == kind
    assert msgspec.json.decode(text, type=Script) == Script(fault, "ab", 3)


@pytest.mark.parametrize(
    "text",
    [
        '{"fault": {"kind": "answer", "status": 99}}',
        '{"fault": {"kind": "answer", "status": 600}}',
        '{"fault": {"kind": "delay", "seconds": -1}}',
        '{"fault": {"kind": "delay", "seconds": 1e9}}',
        '{"fault": {"kind": "goaway", "after": -1}}',
        '{"fault": {"kind": "goaway", "code": 4294967296}}',
        '{"fault": {"kind": "reset", "code": -1}}',
        '{"fault": {"kind": "fewstreams", "streams": -1}}',
        '{"fault": {"kind": "hangup"}, "times": 0}',
        '{"fault": {"kind": "hangup", "when": 1}}',
        '{"fault": {"kind": "hangup"}, "devices": []}',
        '{"fault": {"kind": "fire"}}',
    ],
)
def test_a_script_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Script)
