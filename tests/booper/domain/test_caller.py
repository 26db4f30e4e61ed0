"""Who may call: every kind of caller against every kind of route."""

from __future__ import annotations

import pytest

from booper.domain.caller import (
    Anonymous,
    AppKey,
    Caller,
    DeviceCaller,
    Operator,
    Role,
    Scope,
    SessionCaller,
    Who,
    admit,
)
from booper.domain.errors import BooperError

CALLERS: dict[str, Caller] = {
    "anonymous": Anonymous(),
    "operator": Operator(),
    "member": SessionCaller(1, "a", Role.MEMBER, "s"),
    "boss": SessionCaller(1, "a", Role.OPERATOR, "s"),
    "key": AppKey(1, "app", "free", "k", frozenset({Scope.READ})),
    "device": DeviceCaller(1, "d"),
}
ADMITTED = {
    Who.ANYONE: set(CALLERS),
    Who.DEVICE: {"device"},
    Who.APP: {"key"},
    Who.ACCOUNT: {"member", "boss"},
    Who.OPERATOR: {"operator", "boss"},
    Who.APP | Who.ACCOUNT: {"key", "member", "boss"},
    Who.DEVICE | Who.OPERATOR: {"device", "operator", "boss"},
    Who.UNASKED: set(),
}


def refusal(caller: Caller, who: Who, scope: Scope | None = None) -> str:
    """The code of the refusal; "" if the caller is admitted."""
    try:
        admit(caller, who, scope)
    except BooperError as error:
        return error.code
    return ""


@pytest.mark.parametrize("who", ADMITTED)
@pytest.mark.parametrize("name", CALLERS)
def test_each_route_admits_whom_it_is_for(who: Who, name: str) -> None:
    code = refusal(CALLERS[name], who)
    if name in ADMITTED[who]:
        assert code == ""
    elif name == "anonymous":
        assert code == "unauthenticated"
    else:
        assert code == ("operators_only" if who is Who.OPERATOR else "wrong_caller")


def test_a_key_is_good_for_its_scopes_alone() -> None:
    for who in (Who.ANYONE, Who.APP, Who.APP | Who.ACCOUNT):
        assert refusal(CALLERS["key"], who, Scope.READ) == ""
        assert refusal(CALLERS["key"], who, Scope.NOTIFY) == "missing_scope"
    assert refusal(CALLERS["member"], Who.APP | Who.ACCOUNT, Scope.NOTIFY) == ""
    assert refusal(CALLERS["anonymous"], Who.ANYONE, Scope.NOTIFY) == ""
