"""Entry: opening a session and keeping it: the access JWT and the refresh that go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from booper.api import access_jwt
from booper.api.render import Moment, moment
from booper.domain import credential
from booper.domain.caller import SessionCaller
from booper.store import sessions
from booper.store.server_keys import SESSION

if TYPE_CHECKING:
    from booper.api.house import House
    from booper.domain.credential import Credential
    from booper.ports import Tx
    from booper.store.accounts import Account


class AccountView(msgspec.Struct, frozen=True):
    """A person; `role`: "member" or "operator"."""

    id: str
    email: str
    name: str
    role: str
    created_at: Moment


class Opened(msgspec.Struct, frozen=True):
    """Send `access_token` as a bearer; exchange `refresh_token`, once, for the next pair.

    `expires_in`: seconds that the access token is good for.
    """

    access_token: str
    refresh_token: str
    expires_in: int
    session_id: str
    token_type: str = "Bearer"  # noqa: S105 - RFC 6750's word

    def __repr__(self) -> str:
        return f"Opened({self.session_id})"


def account_view(found: Account) -> AccountView:
    """An account as its owner and an operator see it."""
    return AccountView(
        found.id, found.email, found.name, found.role.value, moment(found.created_at)
    )


async def opened(house: House, account: Account, client: str) -> Opened:
    """A new session of an account that has proved itself."""
    ports = house.ports
    own, refresh = ports.ids.mint(), minted(house)
    await ports.database.write(_open, house, own, account.number, client, refresh)
    return await pair(house, account.id, own, refresh)


async def pair(house: House, account: str, session: str, refresh: Credential) -> Opened:
    """The two credentials of a session."""
    ports, life = house.ports, house.settings.accounts.access_life
    key = await house.keys.newest(SESSION)
    access = access_jwt.sign(key, account, session, ports.ids.mint(), ports.clock.wall(), life)
    return Opened(access, refresh.spelled().reveal(), int(life), session)


def minted(house: House) -> Credential:
    """A new refresh."""
    return credential.minted(credential.REFRESH, house.ports.ids.secret(credential.ENTROPY))


async def recognised(house: House, text: str) -> SessionCaller | None:
    """Whose session an access JWT belongs to, while it lasts."""
    ports = house.ports
    own = access_jwt.kid(text)
    key = await house.keys.find(SESSION, own) if own is not None else None
    found = access_jwt.verify(text, key, ports.clock.wall()) if key is not None else None
    if found is None:
        return None
    mark = house.known.mark
    who = house.known.get(found.session, found.account)
    if who is None:
        who = await ports.database.read(sessions.alive, found.session, ports.clock.wall())
        if who is not None:
            house.known.keep(found.session, found.account, who, mark)
    if not isinstance(who, SessionCaller) or who.account != found.account:
        return None
    return who


async def _open(
    tx: Tx, house: House, own: str, account: int, client: str, refresh: Credential
) -> None:
    now = house.ports.clock.wall()
    until = now + house.settings.accounts.refresh_life
    session = await sessions.open_session(tx, own, account, client, now, until)
    await sessions.issue(tx, session, refresh, now)
