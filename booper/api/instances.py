"""Provider instances over HTTP: for operators under /api/admin/instances, and in the same words for
whoever else has instances of its own. Credentials go in and never come out; a fingerprint does.
"""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import trio
from msgspec import UNSET, UnsetType
from quart import Response, request

from actors import ActorError, Ref
from booper.api import etag
from booper.api.instance_views import (
    Audit,
    AuditPage,
    Brief,
    Change,
    Line,
    List,
    New,
    Page,
    Verdict,
    View,
    Wait,
)
from booper.api.material import gathered
from booper.api.render import moment, nothing, rendered
from booper.domain.wanted import Editor, key_of
from booper.store import instances, nodes
from booper.workers import names
from booper.workers.messages import Status
from booper.workers.trial import insist, judged, tried

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from booper.api.house import House
    from booper.domain.caller import Caller
    from booper.domain.instance import Standing
    from booper.domain.wanted import Wanted
    from booper.ports import Tx

    Editing = Callable[[House, Caller, Mapping[str, str]], Awaitable[Editor]]
    Handler = Callable[..., Awaitable[Any]]

PATIENCE = 15.0  # seconds that wait=applied waits
POLL = 0.02


def bound(work: Handler, editing: Editing, extra: tuple[str, ...]) -> Handler:
    """`work` as a handler of an operation whose path has the `extra` parts: `editing` makes of them
    and of the caller the `editor` that `work` takes."""

    async def handler(house: House, caller: Caller, **given: Any) -> Any:
        parts = {name: given.pop(name) for name in extra}
        return await work(house, await editing(house, caller, parts), **given)

    own = [name for name in inspect.signature(work).parameters if name != "editor"]
    kind = inspect.Parameter.KEYWORD_ONLY
    handler.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind) for name in (*own, "caller", *extra)]
    )
    handler.__name__, handler.__doc__ = work.__name__, work.__doc__
    return handler


async def every(house: House, editor: Editor, query: Page) -> List:
    """The instances, by name."""
    own = [one for one in house.registrar.directory.of(editor.tenant) if one.name > query.after]
    page = own[: query.limit]
    shown = [Brief(**_brief(one), standing=await _standing(house, one)) for one in page]
    return List(shown, page[-1].name if len(own) > len(page) else UNSET)


async def create(house: House, editor: Editor, body: New, query: Wait) -> Response:
    """Make an instance. Its credential is proved first: where it cannot be used, nothing starts."""
    registrar = house.registrar
    guard = house.ports.transport.guard
    settings = await gathered(body.settings, body.provider, editor.tenant, guard)
    if body.verify:
        codec = registrar.safe.prove(editor.tenant, body.name, body.provider, settings)
        insist(await tried(body.provider, codec, house.ports, house.settings.delivery))
    wanted = await registrar.create(
        editor,
        body.name,
        body.provider,
        settings,
        started=body.started,
        enabled=body.enabled,
        preferred=body.default,
    )
    where = {"Location": f"{request.path}/{wanted.name}"}
    return await _answer(house, wanted, query, 201, where)


async def show(house: House, editor: Editor, name: str) -> Response:
    """One instance."""
    return await _answer(house, await house.registrar.find(editor, name), Wait())


async def change(house: House, editor: Editor, name: str, body: Change, query: Wait) -> Response:
    """Change settings while it sends: the new ones are proved, connected, and swapped in; what the
    old ones have in flight ends. Refused at the first use, the old ones are back at work."""
    registrar = house.registrar
    wanted = await registrar.find(editor, name)
    guard = house.ports.transport.guard
    patch = await gathered(body.settings, wanted.provider, editor.tenant, guard)
    verified = None
    if body.verify:
        verified = await registrar.proposed(editor, name, patch)
        codec = registrar.safe.prove(editor.tenant, name, wanted.provider, verified)
        insist(await tried(wanted.provider, codec, house.ports, house.settings.delivery))
    wanted = await registrar.reconfigure(
        editor, name, patch, check=etag.expected().check, share=body.canary, verified=verified
    )
    return await _answer(house, wanted, query)


async def delete(house: House, editor: Editor, name: str) -> Response:
    """Remove it with its credential. What waits for it is kept until its time runs out."""
    await house.registrar.delete(editor, name, check=etag.expected().check)
    return nothing()


async def verify(house: House, editor: Editor, name: str) -> Verdict:
    """Try the credential with the provider now; changes nothing."""
    wanted = await house.registrar.find(editor, name)
    codec, _ = await house.registrar.codec(wanted.key, wanted.proving or wanted.serving)
    found = await tried(wanted.provider, codec, house.ports, house.settings.delivery)
    return Verdict(judged(found), found.status, found.reason)


async def audit(house: House, editor: Editor, name: str, query: AuditPage) -> Audit:
    """Every change, also of an instance that was deleted."""
    tenant = editor.tenant

    async def look(tx: Tx) -> list[instances.Line]:
        key = key_of(tenant, name)
        found = await instances.lines(tx, key, tenant, query.before, query.limit)
        if not found and query.before == AuditPage().before:
            await instances.known(tx, key)
        return found

    found = await house.ports.database.read(look)
    lines = [Line(**{**line._asdict(), "at": moment(line.at)}) for line in found]
    return Audit(lines, found[-1].number if len(found) == query.limit else UNSET)


def turning(verb: str, summary: str) -> Handler:
    """The handler of one of the registrar's verbs."""

    async def turn(house: House, editor: Editor, name: str, query: Wait) -> Response:
        wanted = await house.registrar.turn(editor, name, verb, check=etag.expected().check)
        return await _answer(house, wanted, query)

    turn.__name__, turn.__doc__ = verb, summary
    return turn


def deciding(action: str, summary: str) -> Handler:
    """The handler of one of the registrar's decisions."""

    async def decide(house: House, editor: Editor, name: str, query: Wait) -> Response:
        wanted = await house.registrar.decide(editor, name, action, check=etag.expected().check)
        return await _answer(house, wanted, query)

    decide.__name__, decide.__doc__ = action, summary
    return decide


async def _answer(
    house: House,
    wanted: Wanted,
    query: Wait,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The instance as it is written; with wait=applied, once every live node has it."""
    applied: bool | UnsetType = UNSET
    waiting: list[str] | UnsetType = UNSET
    if query.wait is not None:
        waiting = await _lagging(house, wanted)
        applied, status = not waiting, 202 if waiting else status
    # As it is now: somebody else may have changed it since. Deleted since, it is not there.
    wanted, kept = await house.registrar.seen(Editor(wanted.tenant, ""), wanted.name)
    view = View(
        **_brief(wanted),
        standing=await _standing(house, wanted),
        settings=msgspec.json.decode(kept.shown),
        fingerprint=kept.fingerprint,
        applied=applied,
        waiting_for=waiting,
    )
    return rendered(view, status, {"ETag": etag.tag(wanted.version), **(headers or {})})


def _brief(wanted: Wanted) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "provider": wanted.provider,
        "origin": wanted.origin,
        "state": wanted.state,
        "default": wanted.preferred,
        "version": wanted.version,
        "generation": wanted.generation,
        "serving": wanted.serving,
        "rotation": wanted.rotation,
        "rotation_words": wanted.words,
        "changed_at": moment(wanted.changed_at),
        "changed_by": wanted.changed_by,
    }


async def _standing(house: House, wanted: Wanted) -> Standing | None:
    with suppress(ActorError):
        return await Ref(house.registry, names.instance(wanted.key)).call(Status(), timeout=1.0)
    return None


async def _lagging(house: House, wanted: Wanted) -> list[str]:
    """The live nodes that have not taken over this version within PATIENCE."""
    ports, waiting = house.ports, [""]
    with trio.move_on_after(PATIENCE):
        while True:
            waiting = await ports.database.read(nodes.lagging, wanted.key, wanted.version)
            if not waiting:
                break
            await trio.sleep(POLL)
    return waiting
