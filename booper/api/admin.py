"""/api/admin: how everything is doing now, and the operator's instances. For operators only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from booper.api.instance_routes import declare
from booper.api.operation import Operations
from booper.domain.caller import SessionCaller, Who
from booper.domain.errors import Unavailable
from booper.domain.wanted import OPERATOR, Editor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from booper.api.house import House
    from booper.domain.caller import Caller
    from supervisors import Snapshot

operations = Operations("admin")


@operations.get(
    "/api/admin/tree",
    answers={200: dict[str, Any]},
    callers=Who.OPERATOR,
    errors={503: ("not_ready",)},
)
async def tree(house: House) -> Snapshot:
    """The supervision tree: state, restarts, age and mailbox of everything that runs."""
    snapshot = house.snapshot()
    if snapshot is None:
        raise Unavailable("The tree is being built.", code="not_ready")
    return snapshot


async def _operator(house: House, caller: Caller, parts: Mapping[str, str]) -> Editor:  # noqa: ARG001
    """The operator's own instances; a person is named in the audit."""
    name = f"account {caller.account}" if isinstance(caller, SessionCaller) else "operator"
    return Editor(OPERATOR, name)


declare(operations, "/api/admin/instances", Who.OPERATOR, _operator)
