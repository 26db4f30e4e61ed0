"""/api/sessions: logging in, staying logged in, and logging out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta
from quart import Response, request

from booper.api.entry import Opened, minted, opened, pair
from booper.api.operation import Operations
from booper.api.pages import Listed, Page, listed
from booper.api.render import Moment, moment, nothing
from booper.domain import account, credential
from booper.domain.caller import SessionCaller, Who
from booper.domain.errors import NotFound, TooOften, Unauthenticated
from booper.domain.limit import Limit
from booper.store import accounts, sessions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from booper.api.house import House
    from booper.domain.credential import Credential
    from booper.ports import Tx
    from booper.store.sessions import Refreshed, Session

operations = Operations("sessions")


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who you are, and what only you know."""

    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=account.LONGEST)]


class Refresh(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The refresh token you got last."""

    refresh_token: Annotated[str, Meta(max_length=200)]


class SessionView(msgspec.Struct, frozen=True):
    """A login. `client`: what the browser or program calls itself; `current`: it is this one."""

    id: str
    client: str
    current: bool
    created_at: Moment
    used_at: Moment
    expires_at: Moment


def client() -> str:
    """What the browser or program calls itself, so that a person knows a session again."""
    text = request.headers.get("User-Agent", "")
    return "".join(letter for letter in text if letter.isprintable())[:200]


@operations.post(
    "/api/sessions",
    body=Login,
    answers={201: Opened},
    callers=Who.UNASKED,
    errors={401: ("wrong_login",), 429: ("too_many_logins",), 503: ("busy",)},
)
async def login(house: House, body: Login) -> Opened:
    """Log in. A wrong address and a wrong password look alike and take alike."""
    await _not_too_often(house, body.email.lower())
    database, given = house.ports.database, account.spelled(body.password)
    found = await database.read(accounts.find_by_email, body.email.lower())
    good = await house.passwords.verify(found.password if found else None, given)
    if found is None or not good:
        raise Unauthenticated("The address or the password is wrong.", code="wrong_login")
    if house.passwords.weak(found.password):
        stored = await house.passwords.hash(given)
        await database.write(accounts.set_password, found.number, stored)
    return await opened(house, found, client())


async def _not_too_often(house: House, email: str) -> None:
    """Guessing is slow: by one address, and by all of them together. A person who is guessed at
    from elsewhere gets in, as long as the many are not very many."""
    who = hashlib.sha256(email.encode()).hexdigest()[:32]
    verdicts = await house.limiter.take(
        [
            Limit(f"login:{who}:{request.remote_addr}", 1 / 30, 10),
            Limit(f"login:{who}", 1 / 5, 100),
        ]
    )
    wait = max(verdict.retry_after for verdict in verdicts)
    if wait > 0:
        raise TooOften("Too many logins: wait a little.", code="too_many_logins", retry_after=wait)


@operations.post(
    "/api/sessions/refresh",
    body=Refresh,
    answers={200: Opened},
    callers=Who.UNASKED,
    errors={401: ("invalid_refresh", "refresh_reused")},
)
async def refresh(house: House, body: Refresh) -> Opened:
    """Exchange a refresh token for the next pair, once.

    One that comes a second time has been copied: the session ends for both who hold it.
    """
    given = credential.parsed(body.refresh_token)
    if given is None or given.kind != credential.REFRESH:
        raise _no_refresh()
    successor = minted(house)
    found = await house.ports.database.write(_use, house, given, successor)
    if found is None or found.caller is None:
        raise _no_refresh()
    if found.stolen:
        house.known.drop(found.caller.session)
        raise Unauthenticated(
            "This refresh token was used before: log in again.", code="refresh_reused"
        )
    return await pair(house, found.caller.account, found.caller.session, successor)


async def _use(tx: Tx, house: House, given: Credential, successor: Credential) -> Refreshed | None:
    now = house.ports.clock.wall()
    until = now + house.settings.accounts.refresh_life
    found = await sessions.refresh(tx, given, now, until)
    if found is not None and not found.stolen:
        await sessions.issue(tx, found.session, successor, now)
    return found


def _no_refresh() -> Unauthenticated:
    return Unauthenticated("This refresh token is not good.", code="invalid_refresh")


@operations.get(
    "/api/sessions",
    query=Page,
    answers={200: Listed[SessionView]},
    callers=Who.ACCOUNT,
)
async def index(house: House, caller: SessionCaller, query: Page) -> Response:
    """Where you are logged in."""
    now = house.ports.clock.wall()

    async def fetch(after: str, limit: int) -> Sequence[Session]:
        return await house.ports.database.read(sessions.page, caller.number, after, now, limit)

    def view(one: Session) -> SessionView:
        times = [moment(time) for time in (one.created_at, one.used_at, one.expires_at)]
        return SessionView(one.id, one.client, one.id == caller.session, *times)

    return await listed(house, caller, query, fetch, view)


@operations.delete("/api/sessions/current", answers={204: None}, callers=Who.ACCOUNT)
async def logout(house: House, caller: SessionCaller) -> Response:
    """Log out: this session ends now, with everything that was handed out for it."""
    await _end(house, caller, caller.session)
    return nothing()


@operations.delete("/api/sessions/{session_id}", answers={204: None}, callers=Who.ACCOUNT)
async def end(house: House, caller: SessionCaller, session_id: str) -> Response:
    """End another session of yours."""
    if not await _end(house, caller, session_id):
        raise NotFound("There is no such thing.")
    return nothing()


async def _end(house: House, caller: SessionCaller, session: str) -> bool:
    now = house.ports.clock.wall()
    ended = await house.ports.database.write(sessions.end, caller.number, session, "logout", now)
    house.known.drop(session)
    return ended
