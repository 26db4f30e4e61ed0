"""Settings: a file, the environment over it, nothing guessed, no secret shown."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from booper.domain.errors import Misconfigured
from booper.settings import Settings, load

REFERENCE = Path(__file__).parents[2] / "config" / "booper.toml"


def written(folder: Path, text: str) -> Path:
    file = folder / "booper.toml"
    file.write_text(text, "utf-8")
    return file


def refused(file: Path | None, environment: dict[str, str] | None = None) -> Misconfigured:
    with pytest.raises(Misconfigured) as caught:
        load(file, environment or {})
    return caught.value


def test_the_reference_names_every_setting_with_its_default() -> None:
    tree = tomllib.loads(REFERENCE.read_text("utf-8"))
    defaults: dict[str, Any] = msgspec.to_builtins(Settings())
    assert defaults.pop("instances") == tree.pop("instances", {})
    assert tree == defaults
    assert load(REFERENCE, {}) == Settings()


def test_nothing_at_all_is_the_defaults() -> None:
    assert load(None, {"PATH": "/bin", "BOOPER_CONFIG": "x"}) == Settings()


def test_the_environment_lies_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, 'log_level = "debug"\n[http]\nport = 1\nhost = "::1"\n')
    found = load(file, {"BOOPER_HTTP__PORT": "2", "BOOPER_DELIVERY__TICK": "0.5"})
    assert (found.log_level, found.http.port, found.http.host) == ("debug", 2, "::1")
    assert found.delivery.tick == 0.5


def test_an_instance_can_come_from_the_environment_alone() -> None:
    environment = {
        "BOOPER_INSTANCES__APNS__PROVIDER": "apns",
        "BOOPER_INSTANCES__APNS__MAX_CONNECTIONS": "2",
        "BOOPER_DEFAULTS__APNS": "apns",
    }
    found = load(None, environment)
    assert found.instances == {"apns": {"provider": "apns", "max_connections": "2"}}
    assert found.defaults == {"apns": "apns"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1", "colour"),
        ("[http]\nprt = 1", "prt"),
        ("[http]\nport = 65536", "http.port"),
        ('[http]\nport = "many"', "http.port"),
        ("http = 5", "http"),
        ("shutdown = 0", "shutdown"),
        ("shutdown = nan", "shutdown"),
        ("shutdown = inf", "shutdown"),
        ("[delivery]\nbatches_in_flight = 0", "delivery.batches_in_flight"),
        ("[http]\nmax_body = 1", "http.max_body"),
    ],
)
def test_a_wrong_key_or_value_in_the_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    error = refused(written(tmp_path, text))
    assert error.code == "config_value"
    assert named in error.detail
    assert "\n" not in error.detail


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("BOOPER_COLOUR", "1", "colour"),
        ("BOOPER_HTTP__PRT", "1", "prt"),
        ("BOOPER_HTTP__PORT", "many", "http.port"),
        ("BOOPER_HTTP", "1", "http"),
        ("BOOPER_LOG_LEVEL__X", "1", "log_level"),
    ],
)
def test_a_wrong_key_or_value_in_the_environment_is_named(
    tmp_path: Path, name: str, value: str, named: str
) -> None:
    error = refused(written(tmp_path, 'log_level = "info"'), {name: value})
    assert error.code == "config_value"
    assert named in error.detail


@pytest.mark.parametrize(
    "content", [b"[http\nport = 1", b"port = ", b"\xff\xfe", b"a = 1\na = 2", b"\0"]
)
def test_broken_toml_is_one_line_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "booper.toml"
    file.write_bytes(content)
    error = refused(file)
    assert error.code == "config_file"
    assert error.detail.startswith(str(file))
    assert "\n" not in error.detail


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for file in (tmp_path / "missing.toml", tmp_path):
        error = refused(file)
        assert (error.code, error.detail.startswith(str(file))) == ("config_file", True)


def test_a_secret_may_stand_in_a_file_beside_the_settings(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hush\n", "utf-8")
    (tmp_path / "p8").write_text("-----BEGIN\nabc\n-----END\r\n", "utf-8", newline="")
    file = written(tmp_path, 'admin_key_file = "key"\n[instances.main]\nprivate_key_file = "p8"\n')
    found = load(file, {})
    assert found.admin_secret is not None
    assert found.admin_secret.reveal() == "hush"
    assert found.instances["main"] == {"private_key": "-----BEGIN\nabc\n-----END"}
    over = load(None, {"BOOPER_ADMIN_KEY_FILE": str(tmp_path / "key")})
    assert over.admin_key == "hush"
    assert Settings().admin_secret is None


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_secret_s_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    error = refused(written(tmp_path, 'admin_key_file = "key"'))
    assert error.code == "config_file"
    assert "admin_key_file" in error.detail
    assert refused(written(tmp_path, 'admin_key_file = "a\\u0000b"')).code == "config_file"


def test_a_ca_file_is_a_path_beside_the_settings(tmp_path: Path) -> None:
    text = '[instances.a]\nca_file = "ca.pem"\n[instances.b]\nca_file = "/etc/ca.pem"\n'
    found = load(written(tmp_path, text), {})
    assert found.instances["a"] == {"ca_file": str(tmp_path / "ca.pem")}
    assert found.instances["b"] == {"ca_file": "/etc/ca.pem"}


@pytest.mark.parametrize("database", ["sqlite:", "postgres:x", "booper.sqlite3", ""])
def test_a_database_that_is_no_sqlite_file_is_refused(database: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        _ = Settings(database=database).sqlite_path
    assert caught.value.code == "database_url"
    assert Settings(database="sqlite:/a:b").sqlite_path == Path("/a:b")


def test_no_secret_is_shown() -> None:
    found = load(None, {"BOOPER_ADMIN_KEY": "SECRET", "BOOPER_INSTANCES__A__PRIVATE_KEY": "SECRET"})
    shown = [repr(found), str(found), f"{found}", repr([found]), repr(found.admin_secret)]
    shown += [repr(part) for part in found.__rich_repr__()]
    assert not [text for text in shown if "SECRET" in text]


def test_an_error_about_a_secret_does_not_show_it(tmp_path: Path) -> None:
    file = written(tmp_path, 'shutdown = "x"\nadmin_key = "SECRET"\n[instances.a]\nkey = "SECRET"')
    assert "SECRET" not in refused(file).detail
    assert "SECRET" not in refused(written(tmp_path, 'admin_key = ["SECRET"]')).detail


def test_networks_may_be_allowed_by_file_and_by_environment(tmp_path: Path) -> None:
    file = tmp_path / "booper.toml"
    file.write_text('[guard]\nallow = ["127.0.0.0/8", "fd00::/8"]\n')
    assert load(file, {}).guard.networks == ("127.0.0.0/8", "fd00::/8")
    set_ = {"BOOPER_GUARD__ALLOW": "10.0.0.0/8, fd00::/8"}
    assert load(file, set_).guard.networks == ("10.0.0.0/8", "fd00::/8")
    assert load(None, {}).guard.networks == ()
