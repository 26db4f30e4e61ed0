"""Settings: one TOML file, then the environment over it, into frozen values; nothing is guessed.

`config/booper.toml` is the reference: every setting with its default and its meaning. A variable
is `BOOPER_` and the path of the setting, parts joined by two underscores: `BOOPER_HTTP__PORT`,
`BOOPER_INSTANCES__APNS__KEY_ID`. An unknown key is an error that names it. For every text setting
`x` there may be an `x_file` whose content is taken instead (without the line feed at its end): for
secrets.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from booper.domain.errors import Misconfigured
from booper.domain.origin import networks
from booper.domain.plan import PLANS, Count, Days, Plan
from booper.domain.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class Http(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where and how the front door listens."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    max_body: Annotated[int, Meta(ge=1024)] = 65_536
    body_timeout: Seconds = 10.0
    idle_timeout: Seconds = 5.0
    max_connections: Annotated[int, Meta(ge=1)] = 1000
    max_batch: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    max_batch_body: Annotated[int, Meta(ge=1024)] = 4_194_304
    trusted_proxies: str | list[str] = []

    @property
    def proxies(self) -> tuple[str, ...]:
        """`trusted_proxies` as a tuple."""
        return _listed(self.trusted_proxies)


class Public(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What anybody may do without an app, and how long it is kept; 0 is "no end"."""

    per_address: Count = 10  # notifications a second
    per_channel: Count = 10
    changes_per_address: Count = 10  # subscriptions, channels and looks at them a second
    max_subscriptions: Annotated[int, Meta(ge=1, le=100_000)] = 1000  # of one device
    archive_after: Days = 7
    delete_after: Days = 30


class Delivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the pipeline behaves."""

    batches_in_flight: Annotated[int, Meta(ge=1, le=1000)] = 16
    send_timeout: Seconds = 20.0
    lease: Seconds = 30.0
    tick: Seconds = 1.0


class Postgresql(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a PostgreSQL server is used."""

    connections: Annotated[int, Meta(ge=2, le=100)] = 8
    prepared_statements: bool = True
    listen_url: str = ""


class Guard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may be called when a device or a tenant names the address, besides public hosts."""

    allow: str | list[str] = []
    high_ports: bool = True

    @property
    def networks(self) -> tuple[str, ...]:
        """`allow` as a list; from the environment it comes as one text with commas."""
        return _listed(self.allow)


class Accounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may have an account, and how long a login lasts."""

    sign_up: bool = True
    access_life: Annotated[float, Meta(ge=60, le=3600)] = 900.0
    refresh_life: Annotated[float, Meta(ge=3600, le=31_622_400)] = 2_592_000.0
    max_apps: Annotated[int, Meta(ge=0, le=100_000)] = 100
    max_channels: Annotated[int, Meta(ge=0, le=1_000_000)] = 10_000
    plan: str = "free"


class AccessCodes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a code that lets devices into an app may live; beyond five minutes it is longer."""

    longest: Annotated[float, Meta(ge=1, le=31_622_400)] = 300.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. `instances`: name → the provider's own settings, checked by its codec.

    `keys`: id → base64 of 32 bytes; the first seals what is stored, all of them open it.
    """

    database: str = "sqlite:booper.sqlite3"
    shutdown: Seconds = 20.0
    redis: str = ""
    admin_key: str = ""
    log_level: str = "info"
    http: Http = Http()
    delivery: Delivery = Delivery()
    postgresql: Postgresql = Postgresql()
    guard: Guard = Guard()
    accounts: Accounts = Accounts()
    access_codes: AccessCodes = AccessCodes()
    public: Public = Public()
    plans: dict[str, Plan] = msgspec.field(default_factory=lambda: dict(PLANS))
    instances: dict[str, dict[str, Any]] = {}
    resolvers: dict[str, dict[str, Any]] = {}
    defaults: dict[str, str] = {}
    keys: dict[str, str] = {}

    def __repr__(self) -> str:
        """Without what may be secret."""
        return f"Settings(database={self.shown_database!r}, instances={sorted(self.instances)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The same, for rich."""
        return [("database", self.shown_database), ("instances", sorted(self.instances))]

    @property
    def on_postgresql(self) -> bool:
        """Whether `database` is a PostgreSQL URL, which many processes may share."""
        return self.database.partition(":")[0] in ("postgresql", "postgres")

    @property
    def shown_database(self) -> str:
        """`database` without a password."""
        masked = re.sub(r"(//[^/@:]*):[^/]*@", r"\1:***@", self.database)
        return re.sub(r"(password=)[^&]*", r"\1***", masked)

    @property
    def sqlite_path(self) -> Path:
        """The file behind `sqlite:PATH`."""
        kind, _, path = self.database.partition(":")
        if kind != "sqlite" or not path:
            raise Misconfigured(
                f"database must be sqlite:PATH or postgresql://…, not {kind!r}.",
                code="database_url",
            )
        return Path(path)

    @property
    def key_path(self) -> Path:
        """Where the sealing key is kept if `keys` names none: beside the SQLite file."""
        if self.on_postgresql:
            raise Misconfigured(
                "With PostgreSQL, every node needs the same keys: set `keys`.", code="missing_keys"
            )
        return self.sqlite_path.with_name(self.sqlite_path.name + ".keys")

    @property
    def admin_secret(self) -> Secret | None:
        """What an operator must present, if anything."""
        return Secret(self.admin_key) if self.admin_key else None


def _listed(texts: str | list[str]) -> tuple[str, ...]:
    """A list of texts; from the environment it comes as one text with commas."""
    if isinstance(texts, list):
        return tuple(texts)
    return tuple(text for part in texts.split(",") if (text := part.strip()))


_PREFIX = "BOOPER_"
_OWN = frozenset({"BOOPER_CONFIG", "BOOPER_URL", "BOOPER_MEMBER"})  # not settings


def load(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """The settings of a file, if any, under an environment; else Misconfigured."""
    tree: dict[str, Any] = {}
    base = Path()
    if file is not None:
        base = file.parent
        try:
            tree = tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            raise Misconfigured(f"{file}: {error.strerror}.", code="config_file") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Misconfigured(f"{file}: {error}.", code="config_file") from None
    _over(tree, environment)
    _read_files(tree, base)
    _over_plans(tree)
    try:
        found = msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"Settings: {error}.", code="config_value") from None
    networks(found.http.proxies)
    if found.accounts.plan not in found.plans:
        raise Misconfigured(
            f"accounts.plan: there is no plan {found.accounts.plan!r}.", code="config_value"
        )
    return found


def _over(tree: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Lay the environment's settings over the file's."""
    for name, value in sorted(environment.items()):
        if not name.startswith(_PREFIX) or name in _OWN:
            continue
        *path, last = name.removeprefix(_PREFIX).lower().split("__")
        place = tree
        for part in path:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                raise Misconfigured(f"{name}: {part} is not a table.", code="config_value")
            place = inner
        place[last] = value


def _over_plans(tree: dict[str, Any]) -> None:
    """Lay the plans that are given over the three that there are anyway, field by field."""
    given = tree.get("plans", {})
    if isinstance(given, dict) and all(isinstance(plan, dict) for plan in given.values()):
        whole: dict[str, Any] = msgspec.to_builtins(PLANS)
        tree["plans"] = whole | {name: whole.get(name, {}) | plan for name, plan in given.items()}


def _read_files(tree: dict[str, Any], base: Path) -> None:
    """Replace each `x_file` by `x`, except `ca_file`, which is meant as a path."""
    for key in list(tree):
        value = tree[key]
        if isinstance(value, dict):
            _read_files(value, base)
        elif key == "ca_file":
            tree[key] = str(base / str(value))
        elif key.endswith("_file"):
            del tree[key]
            try:
                text = (base / str(value)).read_text("utf-8")
            except (OSError, ValueError):  # not there, not text, not a path
                raise Misconfigured(f"{key}: {value} cannot be read.", code="config_file") from None
            tree[key.removesuffix("_file")] = text.rstrip("\r\n")
