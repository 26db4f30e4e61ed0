"""Whose instance sends: the app's own, else the operator's, else nobody's; never another's."""

from __future__ import annotations

from typing import Any

import pytest

from booper.domain.wanted import OPERATOR, Wanted, key_of
from booper.workers.directory import Directory
from booper.workers.router import DirectoryRouter, Way

SHOP, CLUB = "01890000-0000-7000-8000-000000000001", "01890000-0000-7000-8000-000000000002"


class Clock:
    """Stands still."""

    def wall(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return 7.0


class Counting(Directory):
    """Counts how often a route is built."""

    builds = 0

    def resolve(self, provider: str, instance: str, tenant: str = OPERATOR) -> str | None:
        self.builds += 1
        return super().resolve(provider, instance, tenant)


def row(tenant: str, name: str, provider: str = "apns", version: int = 1, **more: Any) -> Wanted:
    return Wanted(
        key_of(tenant, name), tenant, name, provider, "api", version, 1, 1, 0.0, "me", **more
    )


def house(*rows: Wanted) -> tuple[Counting, DirectoryRouter]:
    directory = Counting()
    for one in rows:
        directory.put(one)
    return directory, DirectoryRouter(directory, Clock())


def test_own_then_the_operator_s_then_nobody() -> None:
    _, router = house(row(OPERATOR, "main"), row(SHOP, "own"), row(CLUB, "google", "fcm"))
    assert router.resolve("apns", "", SHOP) == f"{SHOP}/own"
    assert router.resolve("apns", "", CLUB) == "main"
    assert router.resolve("apns", "") == "main"
    assert router.resolve("fcm", "", CLUB) == f"{CLUB}/google"
    assert router.resolve("fcm", "", SHOP) is None
    assert router.resolve("ntfy", "", SHOP) is None


def test_a_name_is_the_tenant_s_own_or_the_operator_s() -> None:
    _, router = house(row(OPERATOR, "main"), row(SHOP, "main"), row(SHOP, "own"))
    assert router.resolve("apns", "main", SHOP) == f"{SHOP}/main"
    assert router.resolve("apns", "main", CLUB) == "main"
    assert router.resolve("apns", "own", CLUB) is None
    assert router.resolve("fcm", "main", SHOP) is None


@pytest.mark.parametrize("tenant", [OPERATOR, CLUB])
def test_another_tenant_s_instance_cannot_be_named(tenant: str) -> None:
    _, router = house(row(SHOP, "own"), row(CLUB, "own"))
    assert router.resolve("apns", f"{SHOP}/own", tenant) is None


def test_w8_an_own_instance_takes_nothing_from_the_operator_s() -> None:
    """The overlay is a whole instance: there is no field of another one to fall back to."""
    directory, router = house(row(OPERATOR, "main", "ntfy"), row(SHOP, "own", "ntfy"))
    key = router.resolve("ntfy", "", SHOP)
    found = directory.get(key) if key else None
    assert found is not None
    assert found.tenant == SHOP


def test_w7_a_disabled_or_stopped_own_instance_is_no_reason_to_use_the_operator_s() -> None:
    for own in (row(SHOP, "own", enabled=False), row(SHOP, "own", started=False)):
        _, router = house(row(OPERATOR, "main"), own)
        assert router.resolve("apns", "", SHOP) == f"{SHOP}/own"
        assert router.way(SHOP, "apns").state == own.state


def test_w2_every_change_is_seen_by_the_next_who_asks() -> None:
    directory, router = house(row(OPERATOR, "main"))
    assert router.resolve("apns", "", SHOP) == "main"
    own = row(SHOP, "own")
    directory.put(own)
    assert router.resolve("apns", "", SHOP) == own.key
    directory.put(row(SHOP, "second", preferred=True))
    assert router.resolve("apns", "", SHOP) == f"{SHOP}/second"
    directory.remove(row(SHOP, "second", version=2))
    assert router.resolve("apns", "", SHOP) == own.key
    directory.remove(own)
    assert router.resolve("apns", "", SHOP) == "main"
    directory.remove(row(OPERATOR, "main"))
    assert router.resolve("apns", "", SHOP) is None


def test_w2_an_older_row_never_replaces_a_newer_one() -> None:
    directory, router = house(row(SHOP, "own", version=5, preferred=True), row(SHOP, "two"))
    assert not directory.put(row(SHOP, "own", version=4))
    assert router.resolve("apns", "", SHOP) == f"{SHOP}/own"


def test_w3_w13_a_route_is_built_once_also_one_that_leads_nowhere() -> None:
    directory, router = house(row(OPERATOR, "main"))
    for _ in range(100):
        router.resolve("apns", "", SHOP)
        router.resolve("fcm", "", SHOP)
    assert directory.builds == 2


def test_another_tenant_s_change_disturbs_nobody() -> None:
    directory, router = house(row(OPERATOR, "main"), row(SHOP, "own"))
    router.resolve("apns", "", SHOP)
    for number in range(10):
        directory.put(row(CLUB, f"own-{number}"))
    router.resolve("apns", "", SHOP)
    assert directory.builds == 1


def test_w6_is_configured_tells_the_truth_for_every_provider() -> None:
    kinds = ("apns", "fcm", "expo", "ntfy", "webpush")
    for kind in kinds:
        _, router = house(row(SHOP, "own", kind))
        assert router.way(SHOP, kind) == Way(kind, True, "own", "own", "enabled", None)
        assert not router.way(CLUB, kind).configured
        for other in set(kinds) - {kind}:
            assert router.way(SHOP, other) == Way(other, False, None, None, None, None)
        _, shared = house(row(OPERATOR, "main", kind))
        assert shared.way(SHOP, kind) == Way(kind, True, "operator", None, "enabled", None)


def test_of_two_instances_without_a_default_none_is_meant() -> None:
    _, router = house(row(OPERATOR, "main"), row(SHOP, "one"), row(SHOP, "two"))
    assert router.resolve("apns", "", SHOP) == "main"
    assert router.way(SHOP, "apns").via == "operator"
