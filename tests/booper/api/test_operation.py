"""A declaration fits its handler, or it is refused when it is read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from booper.api.app import OPERATIONS
from booper.api.operation import Operations
from booper.domain.caller import Scope, Who


class Thing(msgspec.Struct):
    """Anything."""

    name: str


async def fits(house: object, thing_id: str, body: Thing) -> None: ...
async def no_body(house: object, thing_id: str) -> None: ...
async def no_part(body: Thing) -> None: ...
async def too_much(thing_id: str, body: Thing, other: str) -> None: ...
async def a_query(thing_id: str, body: Thing, query: Thing) -> None: ...


def declare(handler: Any, path: str = "/api/things/{thing_id}", **more: Any) -> Operations:
    operations = Operations("things")
    declared: dict[str, Any] = {"answers": {204: None}, "callers": Who.ANYONE, "body": Thing}
    operations.post(path, **{**declared, **more})(handler)
    return operations


def test_a_handler_takes_what_is_declared() -> None:
    (one,) = declare(fits).declared
    assert (one.method, one.path, one.status) == ("POST", "/api/things/{thing_id}", 204)


@pytest.mark.parametrize("handler", [no_body, no_part, too_much, a_query])
def test_a_handler_that_takes_anything_else_is_refused(handler: Any) -> None:
    with pytest.raises(TypeError, match="things"):
        declare(handler)


async def by_name(name: str, body: Thing) -> None: ...


def test_a_part_that_is_no_id_says_its_type() -> None:
    with pytest.raises(TypeError, match="name"):
        declare(by_name, "/api/things/{name}")
    declare(by_name, "/api/things/{name}", parts={"name": str})
    with pytest.raises(TypeError, match="parts"):
        declare(by_name, "/api/things/{name}", parts={"name": str, "other": str})


def test_what_the_frame_can_answer_is_declared_by_itself() -> None:
    (one,) = declare(fits, callers=Who.APP, scope=Scope.READ, errors={404: ("gone",)}).declared
    found = one.problems
    assert set(found) == {400, 401, 403, 404, 408, 413, 415, 422, 500, 503}
    assert found[403] == ("missing_scope", "wrong_caller")
    assert found[404] == ("gone", "not_found")


def test_every_route_has_a_summary_and_a_place_of_its_own() -> None:
    declared = [one for operations in OPERATIONS for one in operations.declared]
    assert len({(one.method, one.path) for one in declared}) == len(declared)
    assert [one.path for one in declared if not one.handler.__doc__] == []
