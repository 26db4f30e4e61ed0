"""How settings pass from one generation to the next, and what may be called what."""

from __future__ import annotations

import msgspec
import pytest

from booper.domain import rotation
from booper.domain.errors import Conflict, Invalid
from booper.domain.outcome import ACCEPTED, Kind, Outcome
from booper.domain.wanted import FILE, Editor, Wanted, instance_name, key_of, merged

REFUSED = Outcome(Kind.REFUSED, 403, "InvalidProviderToken")


def wanted(**more: object) -> Wanted:
    first = Wanted("main", "", "main", "apns", "api", 1, 1, 1, 0.0, "test")
    return msgspec.structs.replace(first, **more)


def test_new_settings_are_on_trial_until_they_are_confirmed() -> None:
    trial = rotation.renewed(wanted(), 1.0)
    assert (trial.generation, trial.serving, trial.proving, trial.rotation) == (2, 1, 2, "proving")
    done = rotation.confirmed(trial, 2)
    assert done is not None
    assert (done.serving, done.proving, done.rotation) == (2, None, None)


def test_refused_settings_wait_for_a_decision_while_the_old_ones_serve() -> None:
    failed = rotation.refused(rotation.renewed(wanted(), 0.1), 2, "x" * 9999)
    assert failed is not None
    assert (failed.serving, failed.proving, failed.failed) == (1, None, 2)
    assert failed.rotation == "rotation_failed"
    assert len(failed.words) == rotation.WORDS
    assert rotation.open_generation(failed, failed=True) == 2
    with pytest.raises(Conflict):
        rotation.open_generation(failed, failed=False)
    assert rotation.undone(failed).rotation is None


@pytest.mark.parametrize("number", [1, 3])
def test_a_result_of_another_generation_changes_nothing(number: int) -> None:
    trial = rotation.renewed(wanted(), 1.0)
    assert rotation.confirmed(trial, number) is None
    assert rotation.refused(trial, number, "") is None


def test_a_number_is_never_used_again() -> None:
    one = rotation.renewed(wanted(), 1.0)
    failed = rotation.refused(one, 2, "")
    assert failed is not None
    assert rotation.renewed(rotation.undone(failed), 1.0).proving == 3


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ([ACCEPTED], None),
        ([ACCEPTED, REFUSED], "InvalidProviderToken"),
        ([Outcome(Kind.RETRY, 503, "Shutdown")], None),
        ([Outcome(Kind.REFUSED, 401)], "status 401"),
        ([Outcome(Kind.FAILED, 400, "DeviceTokenNotForTopic")], "DeviceTokenNotForTopic"),
        ([ACCEPTED, Outcome(Kind.FAILED, 400, "DeviceTokenNotForTopic")], None),
        ([Outcome(Kind.GONE, 410, "Unregistered")], None),
    ],
)
def test_what_speaks_against_a_credential_on_trial(
    outcomes: list[Outcome], words: str | None
) -> None:
    assert rotation.refusal(outcomes) == words


@pytest.mark.parametrize("name", ["", ".a", "a/b", "a b", "é", "a" * 65, "-x"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        instance_name(name)
    assert caught.value.code == "invalid_name"


@pytest.mark.parametrize("name", ["all", "Default", "APNS", "apns"])
def test_w11_names_are_texts_and_some_are_reserved(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        instance_name(name, frozenset({"apns"}))
    assert caught.value.code == "reserved_name"


def test_keys_keep_tenants_apart() -> None:
    assert key_of("", "main") == "main"
    assert key_of("a", "main") != key_of("b", "main")


def test_merging_takes_away_what_is_null() -> None:
    assert merged({"a": 1, "b": 2}, {"b": None, "c": 3}) == {"a": 1, "c": 3}


def test_only_the_settings_file_changes_what_comes_from_it() -> None:
    own = wanted(origin="configuration")
    own.check_editor(FILE)
    with pytest.raises(Conflict) as caught:
        own.check_editor(Editor("", "operator"))
    assert caught.value.code == "from_configuration"
