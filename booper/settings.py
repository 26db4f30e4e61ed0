"""Settings: one TOML file, then the environment over it, into frozen values; nothing is guessed.

`config/booper.toml` is the reference: every setting with its default and its meaning. A variable
is `BOOPER_` and the path of the setting, parts joined by two underscores: `BOOPER_HTTP__PORT`,
`BOOPER_INSTANCES__APNS__KEY_ID`. An unknown key is an error that names it. For every text setting
`x` there may be an `x_file` whose content is taken instead (without the line feed at its end): for
secrets.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from booper.domain.errors import Misconfigured
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


class Delivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the pipeline behaves."""

    batches_in_flight: Annotated[int, Meta(ge=1, le=1000)] = 8
    send_timeout: Seconds = 20.0
    lease: Seconds = 30.0
    tick: Seconds = 1.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. `instances`: name → the provider's own settings, checked by its codec."""

    database: str = "sqlite:booper.sqlite3"
    shutdown: Seconds = 20.0
    admin_key: str = ""
    log_level: str = "info"
    http: Http = Http()
    delivery: Delivery = Delivery()
    instances: dict[str, dict[str, Any]] = {}
    defaults: dict[str, str] = {}

    def __repr__(self) -> str:
        """Without what may be secret."""
        return f"Settings(database={self.database!r}, instances={sorted(self.instances)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The same, for rich."""
        return [("database", self.database), ("instances", sorted(self.instances))]

    @property
    def sqlite_path(self) -> Path:
        """The file behind `sqlite:PATH`."""
        kind, _, path = self.database.partition(":")
        if kind != "sqlite" or not path:
            raise Misconfigured(f"database must be sqlite:PATH, not {kind!r}.", code="database_url")
        return Path(path)

    @property
    def admin_secret(self) -> Secret | None:
        """What an operator must present, if anything."""
        return Secret(self.admin_key) if self.admin_key else None


_PREFIX = "BOOPER_"
_OWN = frozenset({"BOOPER_CONFIG"})


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
    try:
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"Settings: {error}.", code="config_value") from None


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
