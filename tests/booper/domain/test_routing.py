"""Routes remembered: as true as what they were built from, and no more of them than allowed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from booper.domain.routing import Asked, RouteCache

ASKED = Asked("shop", "apns", "")


class Builds:
    """What a route is built from; `count` of the builds."""

    def __init__(self) -> None:
        self.key: str | None = "main"
        self.count = 0

    def __call__(self) -> str | None:
        self.count += 1
        return self.key


def test_w3_it_is_built_once() -> None:
    cache, build = RouteCache(), Builds()
    assert {cache.find(ASKED, (0, 0), 1.0, build) for _ in range(100)} == {"main"}
    assert build.count == 1


def test_w13_a_way_that_leads_nowhere_is_remembered_too() -> None:
    cache, build = RouteCache(), Builds()
    build.key = None
    assert {cache.find(ASKED, (0, 0), 1.0, build) for _ in range(100)} == {None}
    assert build.count == 1


def test_w2_a_change_of_the_tenant_s_or_the_operator_s_is_seen_at_once() -> None:
    cache, build = RouteCache(), Builds()
    for mark in ((0, 0), (1, 0), (1, 1)):
        build.key = f"main-{mark}"
        assert cache.find(ASKED, mark, 1.0, build) == build.key
    assert build.count == 3


def test_w1_none_is_older_than_its_life_even_if_a_change_was_missed() -> None:
    cache, build = RouteCache(life=30.0), Builds()
    cache.find(ASKED, (0, 0), 0.0, build)
    build.key = "other"
    assert cache.find(ASKED, (0, 0), 29.9, build) == "main"
    assert cache.find(ASKED, (0, 0), 30.0, build) == "other"
    assert cache.find(ASKED, (0, 0), 59.9, build) == "other", "from when it was built"
    assert build.count == 2


def test_the_least_recently_used_is_forgotten() -> None:
    cache, build = RouteCache(size=3), Builds()
    ways = [Asked(f"tenant-{n}", "apns", "") for n in range(4)]
    for way in (*ways[:3], ways[0], ways[3]):  # the second is the oldest now
        cache.find(way, (0, 0), 0.0, build)
    assert (len(cache), build.count) == (3, 4)
    cache.find(ways[0], (0, 0), 0.0, build)
    assert build.count == 4
    cache.find(ways[1], (0, 0), 0.0, build)
    assert build.count == 5


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["ask", "own", "operator", "wait"])),
        max_size=60,
    )
)
def test_whatever_happens_the_answer_is_what_building_would_give(
    steps: list[tuple[str, str]],
) -> None:
    cache = RouteCache(size=2, life=5.0)
    own = dict.fromkeys("abc", 0)
    operator, now = 0, 0.0
    for tenant, what in steps:
        if what == "own":
            own[tenant] += 1
        elif what == "operator":
            operator += 1
        elif what == "wait":
            now += 3.0
        true = f"{tenant}{own[tenant]}/{operator}"
        mark = (own[tenant], operator)
        assert cache.find(Asked(tenant, "apns", ""), mark, now, lambda true=true: true) == true  # type: ignore[misc]
        assert len(cache) <= 2
