"""How fault scripts meet a call over HTTP/1.1, decided without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from booper.simulators.faults import Answer, Dead, Delay, GoAway, Hangup, Reset

if TYPE_CHECKING:
    from booper.simulators.faults import Faults, Script
    from booper.simulators.http.call import Call, Rules, Ruling

Break = Reset | Dead | Hangup


class Act(NamedTuple):
    """What the server does: wait, then answer by the ruling (None: book nothing), or break.

    With `last` the connection ends behind the answer.
    """

    ruling: Ruling | None
    delay: float = 0.0
    breaks: Break | None = None
    last: bool = False


def decide(call: Call, ruling: Ruling, rules: Rules, faults: Faults, answered: int) -> Act:
    """What the scripts for the call's devices, in order, and for everybody make of it.

    `answered` counts what this connection has had before. GOAWAY is "Connection: close" here;
    what only HTTP/2 knows (windows, streams) meets nobody.
    """
    delay, last = 0.0, False
    for script in _matching(faults, ruling.devices):
        fault = script.fault
        match fault:
            case GoAway(after=after) if answered >= after:
                last = True
            case Delay(seconds=seconds):
                delay += seconds
            case Answer():
                faults.use(script)
                return Act(rules.scripted(call, ruling, fault), delay, None, last)
            case Reset() | Dead() | Hangup():
                faults.use(script)
                taken = ruling if fault.accepted and ruling.pushes else None
                return Act(taken, delay, fault)
            case _:
                continue
        faults.use(script)
    return Act(ruling, delay, None, last)


def _matching(faults: Faults, devices: tuple[str, ...]) -> list[Script]:
    """Each script once, however many of the call's devices it is for."""
    found: list[Script] = []
    for device in devices or ("",):
        known = {id(script) for script in found}  # two that say the same are two
        known = {id(script) for script in found}  # two that say the same are two
        found += [script for script in faults.matching(device) if id(script) not in known]
    found.sort(key=lambda script: script.device is None)
    return found
