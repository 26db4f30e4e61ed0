"""Recipes: how a token resolver comes by its access tokens. Presets, and their settings checked.

A recipe names its sources in the order in which they are asked (memory always comes first) and
holds what is needed to ask them; the asking itself is the resolver's (`workers/sources.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from booper.domain.access import AccessToken, Resolution, Source, token_of
from booper.domain.errors import Misconfigured
from booper.domain.secret import Secret, hidden
from booper.providers import google, jwt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    from booper.wire import Answer, Outlet, Request

LOOK = 5.0  # seconds that the store or a file may take
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}")
_QUOTES = "\"'"


class Grant(Protocol):
    """An authorisation server, and what makes it grant a token. No I/O."""

    outlet: Outlet

    def request(self, now: float) -> Request:
        """The request at `now` (Unix seconds)."""
        ...

    def read(self, answer: Answer, now: float) -> AccessToken | Resolution:
        """The token granted, or a resolution without one that says why. Never raises."""
        ...


class Recipe(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One resolver's sources and patience; times in seconds.

    `ttl`: the life of a token that does not tell its own. `lead`: how long before its end it is
    renewed in the background (0: not at all). `timeout`: what a command or an authorisation
    server may take. `idle`: after how long without a question the resolver goes.
    """

    name: str
    preset: str
    sources: tuple[Source, ...]
    tenant: str = ""
    ttl: float = 86_400.0
    lead: float = 3600.0
    timeout: float = 15.0
    idle: float = 3600.0
    file: str = ""
    file_key: str = ""
    command: tuple[str, ...] = ()
    command_key: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    fixed: Secret | None = None
    mint: Callable[[float], AccessToken] | None = None
    grant: Grant | None = None

    @property
    def key(self) -> str:
        """What tells this resolver from every other, of any tenant."""
        return f"{self.tenant}/{self.name}" if self.tenant else self.name

    @property
    def patience(self) -> float:
        """Seconds that asking all sources may take: a caller who waits longer waits in vain."""
        slow = {Source.COMMAND: self.timeout, Source.GRANT: self.timeout}
        quick = {Source.STORE, Source.MANUAL, Source.FILE}
        return sum(slow.get(s, 0.0) + (LOOK if s in quick else 1.0) for s in self.sources)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table `[resolvers.NAME]`. Which settings are needed depends on the preset."""

    preset: str
    sources: list[Source] | None = None
    ttl: Annotated[float, Meta(ge=60, le=31_536_000)] = 86_400.0
    lead: Annotated[float, Meta(ge=0, le=31_536_000)] = 3600.0
    timeout: Annotated[float, Meta(gt=0, le=300)] = 15.0
    idle: Annotated[float, Meta(ge=1, le=31_536_000)] = 3600.0
    credentials: Secret | None = None
    scope: Annotated[str, Meta(min_length=1, max_length=1000)] = google.MESSAGING
    ca_file: str | None = None
    proxy: Secret | None = None
    key_id: Annotated[str, Meta(pattern=r"^[A-Z0-9]{10}\Z")] | None = None
    team_id: Annotated[str, Meta(pattern=r"^[A-Z0-9]{10}\Z")] | None = None
    private_key: Secret | None = None
    access_token: Secret | None = None
    file: str = ""
    file_key: str = ""
    command: Annotated[list[str], Meta(max_length=100)] = []
    command_key: str = ""
    app: str = ""


FLY_FILE, FLY_KEY = "~/.fly/config.yml", "access_token"

# preset → the settings it needs
PRESETS: dict[str, tuple[str, ...]] = {
    "google": ("credentials",),
    "apns": ("key_id", "team_id", "private_key"),
    "static": ("access_token",),
    "fly": (),
    "custom": (),
}


def recipe(name: str, table: Mapping[str, Any]) -> Recipe:
    """The operator's resolver called `name` from its settings; Misconfigured says what is wrong.

    A key is proved by a trial signature. Tenants have no such tables: commands and files are the
    operator's alone.
    """
    owner = f"resolvers.{name}"
    if not _NAME.fullmatch(name):
        raise Misconfigured(
            f"{owner}: a resolver's name has 1 to 100 letters, digits and _ . @ -",
            code="invalid_name",
        )
    try:
        config = msgspec.convert(table, Config, strict=False, dec_hook=hidden)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"{owner}: {error}.", code="invalid_settings") from None
    if config.preset not in PRESETS:
        raise Misconfigured(
            f"{owner}: preset is {config.preset!r}; there is {', '.join(sorted(PRESETS))}.",
            code="unknown_preset",
        )
    missing = [key for key in PRESETS[config.preset] if not getattr(config, key)]
    if missing:
        raise Misconfigured(f"{owner}: missing {', '.join(missing)}.", code="missing_settings")
    made = _prepared(owner, name, config)
    return msgspec.structs.replace(made, sources=_ordered(owner, made, config.sources))


def _prepared(owner: str, name: str, config: Config) -> Recipe:
    """The recipe with everything a source needs, its order still open."""
    file, file_key, command = config.file, config.file_key, tuple(config.command)
    if config.preset == "fly":
        file, file_key = (file, file_key) if file else (FLY_FILE, FLY_KEY)
        # It says when the token ends, and whose it is; readonly ones are the organisation's.
        command = command or (
            *("fly", "tokens", "create", "readonly"),
            *("--expiry", f"{int(config.ttl)}s", "--name", f"booper {name}"),
        )
    grant = mint = None
    if config.credentials is not None:
        account = google.account(config.credentials, owner)
        grant = google.GoogleGrant(
            owner,
            account,
            config.scope,
            guarded=False,  # the operator's own words
            ca_file=config.ca_file,
            proxy=config.proxy,
        )
    if config.private_key is not None and config.key_id and config.team_id:
        key = jwt.es256_key(config.private_key, owner)
        mint = partial(_provider_token, key, config.key_id, config.team_id)
    if config.access_token is not None:
        wrong = token_of(config.access_token.reveal(), ttl=config.ttl, wall=0.0)
        if isinstance(wrong, str):
            raise Misconfigured(f"{owner}: access_token: {wrong}.", code="invalid_access_token")
    return Recipe(
        name=name,
        preset=config.preset,
        sources=(),
        ttl=config.ttl,
        lead=config.lead,
        timeout=config.timeout,
        idle=config.idle,
        file=file,
        file_key=file_key,
        command=command,
        command_key=config.command_key,
        environment=(("FLY_APP", config.app),) if config.app else (),
        fixed=config.access_token,
        mint=mint,
        grant=grant,
    )


def _provider_token(
    key: EllipticCurvePrivateKey, key_id: str, team_id: str, now: float
) -> AccessToken:
    """Apple's: good for an hour, and to be renewed between 20 and 60 minutes."""
    text = jwt.es256(key, {"iss": team_id, "iat": int(now)}, key_id)
    return AccessToken(text, now, now + 3000.0, now + 3600.0)


def _ordered(owner: str, made: Recipe, wanted: list[Source] | None) -> tuple[Source, ...]:
    """The sources in the order asked for, or in the usual one: an override overrides."""
    own = [
        source
        for source, there in (
            (Source.FILE, made.file),
            (Source.COMMAND, made.command),
            (Source.GRANT, made.grant),
            (Source.MINTED, made.mint),
            (Source.STATIC, made.fixed),
        )
        if there
    ]
    stored = [Source.STORE] if own and own != [Source.STATIC] else []
    possible = [Source.MANUAL, *stored, *own]
    if wanted is None:
        return tuple(possible)
    wanted = wanted[1:] if wanted[:1] == [Source.MEMORY] else wanted
    strange = [s for s in wanted if s not in {*possible, Source.STORE}]
    if strange or not wanted or len(set(wanted)) != len(wanted):
        raise Misconfigured(
            f"{owner}: sources must be some of {', '.join(possible)}, each once.",
            code="invalid_sources",
        )
    return tuple(wanted)


def extract(data: bytes, key: str) -> tuple[str, float | None] | None:
    """What a file or a command says: (the token's text, its life in seconds where told).

    Without `key` the whole is the text. With it, it is that member of a JSON object (whose
    `expires_in` is the life), or the value in the first line `key: value` or `key = value`.
    None: it says nothing of the kind.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if not key:
        return (text.strip(), None) if text.strip() else None
    if text.lstrip().startswith("{"):
        return _member(text, key)
    for line in text.splitlines():
        name, mark, value = line.partition(":") if ":" in line else line.partition("=")
        if mark and name.rstrip() == key:
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES:
                value = value[1:-1]
            return (value, None) if value else None
    return None


def _member(text: str, key: str) -> tuple[str, float | None] | None:
    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return None
    value, life = found.get(key), found.get("expires_in")
    if not isinstance(value, str) or not value:
        return None
    return value, float(life) if isinstance(life, int | float) else None
