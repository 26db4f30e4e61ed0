"""What one try of a batch means: each device ends, or is tried again, never both or neither."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.domain import retry
from booper.domain.delivery import Batch, Ended, Settlement, Target, settle
from booper.domain.outcome import ACCEPTED, FINAL, Kind, Outcome

NOW = 1_800_000_000.0


def batch(size: int, *, attempt: int = 1, expires_at: float = NOW + 86_400.0) -> Batch:
    """A leased batch of devices 1…size, each registered an hour ago."""
    targets = tuple(Target(number, "ab" * 32, NOW - 3600.0) for number in range(1, size + 1))
    return Batch(7, "lease", 3, "id", "main", attempt, "{}", NOW, expires_at, targets)


def tried(*outcomes: Outcome, attempt: int = 1, expires_at: float = NOW + 86_400.0) -> Settlement:
    """The settlement of one try, with the dice in the middle."""
    given = batch(len(outcomes), attempt=attempt, expires_at=expires_at)
    return settle(given, outcomes, now=NOW, dice=0.5)


@pytest.mark.parametrize("kind", sorted(FINAL))
def test_a_final_outcome_is_written_and_not_tried_again(kind: Kind) -> None:
    done = tried(Outcome(kind, 400, "why"))
    assert [(ended.devices, ended.kind) for ended in done.final] == [([1], kind)]
    assert done.again == ()
    assert done.gone == ((1,) if kind is Kind.GONE else ())
    assert done.counts()[kind] == 1


def test_the_settlement_names_the_batch_its_lease_and_its_notification() -> None:
    done = tried(ACCEPTED)
    assert (done.batch, done.lease, done.notification) == (7, "lease", 3)


def test_a_device_registered_anew_after_it_went_is_kept() -> None:
    anew, long_gone = NOW - 3600.1, NOW - 3599.9  # registered at NOW − 3600
    done = tried(Outcome(Kind.GONE, 410, "Unregistered", since=anew))
    assert done.gone == ()
    assert done.final == (Ended(Kind.FAILED, 410, "Unregistered", [1]),)
    done = tried(Outcome(Kind.GONE, 410, "Unregistered", since=long_gone))
    assert done.gone == (1,)
    assert done.final[0].kind is Kind.GONE


def test_a_retry_uses_an_attempt_and_a_refused_credential_none() -> None:
    done = tried(Outcome(Kind.RETRY, 503, "busy"), Outcome(Kind.REFUSED, 403, "bad key"), attempt=4)
    attempts = {again.devices: again.attempt for again in done.again}
    assert attempts == {(1,): 4, (2,): 3}


def test_at_the_end_of_the_budget_a_retry_expires_and_a_refused_one_goes_on() -> None:
    busy = Outcome(Kind.RETRY, 503, "busy")
    assert tried(busy, attempt=retry.BUDGET - 1).again
    done = tried(busy, attempt=retry.BUDGET)
    assert (done.final, done.again) == ((Ended(Kind.EXPIRED, 0, "busy", [1]),), ())
    assert tried(Outcome(Kind.REFUSED, 403, "bad key"), attempt=retry.BUDGET).again


def test_what_would_be_due_after_its_deadline_expires_now() -> None:
    wait = Outcome(Kind.RETRY, 503, "busy", after=900.0)  # with these dice: due in 945 s
    assert tried(wait, expires_at=NOW + 946.0).again
    done = tried(wait, expires_at=NOW + 944.0)
    assert [ended.kind for ended in done.final] == [Kind.EXPIRED]


def test_devices_that_wait_for_the_same_reason_travel_together() -> None:
    busy, slow = Outcome(Kind.RETRY, 503, "busy"), Outcome(Kind.RETRY, 429, "slow", after=60.0)
    done = tried(busy, slow, busy)
    assert {again.devices for again in done.again} == {(1, 3), (2,)}
    due = {again.reason: again.due_at for again in done.again}
    assert due["slow"] >= NOW + 60.0


def test_what_may_have_been_sent_is_counted_when_it_is_tried_again() -> None:
    lost, clean = Outcome(Kind.RETRY, reason="reset", maybe_sent=True), Outcome(Kind.RETRY)
    assert tried(lost, clean, lost, ACCEPTED).maybe_doubled == 2
    assert tried(lost, attempt=retry.BUDGET).maybe_doubled == 0, "no other try, so no double"


def test_outcomes_that_do_not_fit_the_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="2 devices, 1 outcomes"):
        settle(batch(2), [ACCEPTED], now=NOW, dice=0.0)


outcomes = st.builds(
    Outcome,
    st.sampled_from(sorted(set(Kind) - {Kind.DELIVERED, Kind.UNKNOWN})),  # those, receipts say
    st.integers(0, 599),
    st.sampled_from(["", "busy", "Unregistered"]),
    after=st.sampled_from([0.0, 60.0, 900.0, 1e9]),
    maybe_sent=st.booleans(),
    since=st.none() | st.floats(NOW - 7200, NOW),
)


@given(
    st.lists(outcomes, max_size=30),
    st.integers(1, retry.BUDGET + 2),
    st.floats(-1e5, 1e5),
    st.floats(0, 1, exclude_max=True),
)
def test_every_device_ends_in_exactly_one_place(
    found: list[Outcome], attempt: int, left: float, dice: float
) -> None:
    given = batch(len(found), attempt=attempt, expires_at=NOW + left)
    done = settle(given, found, now=NOW, dice=dice)
    final = [device for ended in done.final for device in ended.devices]
    again = [device for one in done.again for device in one.devices]
    assert sorted(final + again) == list(range(1, len(found) + 1))
    assert sum(done.counts()[kind] for kind in FINAL) == len(final)
    assert set(done.gone) <= set(final)
    for one in done.again:
        assert NOW <= one.due_at <= given.expires_at
        assert one.attempt < retry.BUDGET
        assert one.devices
    kinds = [(device, ended.kind) for ended in done.final for device in ended.devices]
    for device, kind in kinds:
        assert kind in FINAL
        told = found[device - 1].kind
        assert kind is told or (told, kind) in {
            (Kind.GONE, Kind.FAILED),
            (Kind.RETRY, Kind.EXPIRED),
            (Kind.REFUSED, Kind.EXPIRED),
            (Kind.HELD, Kind.EXPIRED),
        }
