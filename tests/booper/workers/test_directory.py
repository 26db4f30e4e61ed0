"""The directory: who sends for whom, and an old row never overwrites a newer one."""

from __future__ import annotations

import msgspec
import pytest

from booper.domain.errors import Misconfigured
from booper.domain.wanted import Wanted, key_of
from booper.workers.directory import Directory


def row(name: str, tenant: str = "", provider: str = "apns", **more: object) -> Wanted:
    first = Wanted(key_of(tenant, name), tenant, name, provider, "api", 1, 1, 1, 0.0, "test")
    return msgspec.structs.replace(first, **more)


def directory(*rows: Wanted, **defaults: str) -> Directory:
    made = Directory(defaults)
    for one in rows:
        made.put(one)
    return made


def test_the_only_one_of_its_provider_needs_no_default() -> None:
    found = directory(row("main"), row("google", provider="fcm"))
    assert found.resolve("apns", "") == "main"
    assert found.resolve("fcm", "") == "google"
    assert found.resolve("expo", "") is None


def test_of_several_the_preferred_one_or_the_one_in_the_settings() -> None:
    assert directory(row("a"), row("b")).resolve("apns", "") is None
    assert directory(row("a"), row("b"), apns="b").resolve("apns", "") == "b"
    assert directory(row("a", preferred=True), row("b"), apns="b").resolve("apns", "") == "a"


def test_a_tenants_own_instance_goes_before_the_operators() -> None:
    found = directory(row("main"), row("own", "t"))
    assert found.resolve("apns", "", "t") == "t/own"
    assert found.resolve("apns", "", "other") == "main"
    assert found.resolve("apns", "own", "other") is None, "somebody else's is none"
    assert found.resolve("apns", "own") is None


def test_w8_a_disabled_one_keeps_its_devices_for_itself() -> None:
    found = directory(row("main"), row("own", "t", enabled=False))
    assert found.resolve("apns", "", "t") == "t/own"


def test_an_older_row_changes_nothing() -> None:
    found = directory(row("main", version=5, enabled=False))
    assert not found.put(row("main", version=4))
    assert not found.put(row("main", version=5))
    assert found.get("main") == row("main", version=5, enabled=False)
    found.remove(row("main", version=4))
    assert found.get("main") is not None
    found.remove(row("main", version=6))
    assert len(found) == 0
    assert found.resolve("apns", "") is None


def test_a_default_must_be_one_of_its_providers() -> None:
    with pytest.raises(Misconfigured):
        directory(row("main"), fcm="main").check_defaults()


def test_ten_thousand_cost_a_look_up_what_ten_cost() -> None:
    found = directory(*(row(f"i{n}", f"t{n % 5000}") for n in range(10_000)))
    assert len(found) == 10_000
    assert found.resolve("apns", "i7", "t7") == "t7/i7"
    assert len(found.of("t7")) == 2
