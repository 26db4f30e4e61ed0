"""The seal: secrets open at their own place only, keys rotate, and nothing shows."""

from __future__ import annotations

import base64
import pickle
import stat
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.clock import entropy
from booper.domain.errors import Misconfigured, Unsealable
from booper.domain.secret import Place, Secret
from booper.seal import KeyRing, key_file, new_key

if TYPE_CHECKING:
    from pathlib import Path

HERE = Place("tenant-a", "instance", "main", 3)
ELSEWHERE = [
    Place("tenant-b", "instance", "main", 3),
    Place("tenant-a", "device", "main", 3),
    Place("tenant-a", "instance", "other", 3),
    Place("tenant-a", "instance", "main", 4),
    Place("", "instance", "main", 3),
]
OLD, NEW = new_key(entropy), new_key(entropy)


def ring(**keys: str) -> KeyRing:
    return KeyRing(keys or {"old": OLD}, entropy)


@given(st.text(max_size=2000))
def test_what_was_sealed_opens_at_its_place(text: str) -> None:
    own = ring()
    sealed = own.seal(HERE, Secret(text))
    assert own.open(HERE, sealed).reveal() == text
    assert sealed.isascii()
    if len(text) > 3:
        assert text not in sealed


@pytest.mark.parametrize("place", ELSEWHERE, ids=lambda place: "/".join(map(str, place)))
def test_it_opens_nowhere_else(place: Place) -> None:
    own = ring()
    sealed = own.seal(HERE, Secret("s3cret"))
    with pytest.raises(Unsealable) as caught:
        own.open(place, sealed)
    assert caught.value.code == "secret_unreadable"
    with pytest.raises(Unsealable):
        own.rewrap(place, sealed)


def test_two_tenants_ciphertexts_cannot_be_swapped_not_even_in_part() -> None:
    own = ring()
    a, b = HERE, Place("tenant-b", "instance", "main", 3)
    of_a, of_b = own.seal(a, Secret("a's")), own.seal(b, Secret("b's"))
    head, body = of_a.rsplit(".", 1)
    other_head, other_body = of_b.rsplit(".", 1)
    for place in (a, b):
        for forged in (f"{head}.{other_body}", f"{other_head}.{body}"):
            with pytest.raises(Unsealable):
                own.open(place, forged)


def test_places_that_read_alike_are_not_the_same() -> None:
    own = ring()
    sealed = own.seal(Place("a", "bc", "d", 1), Secret("x"))
    with pytest.raises(Unsealable):
        own.open(Place("ab", "c", "d", 1), sealed)


def test_every_changed_character_is_noticed() -> None:
    own = ring()
    sealed = own.seal(HERE, Secret("s3cret"))
    for at, old in enumerate(sealed):
        other = "A" if old != "A" else "B"
        forged = sealed[:at] + other + sealed[at + 1 :]
        if _same_bytes(forged, sealed):
            continue  # unused bits at the end of a base64 text
        with pytest.raises(Unsealable):
            own.open(HERE, forged)


def _same_bytes(one: str, other: str) -> bool:
    def parts(text: str) -> list[bytes | str]:
        found: list[bytes | str] = []
        for part in text.split("."):
            try:
                found.append(base64.urlsafe_b64decode(part))
            except ValueError:
                found.append(part)
        return found

    head = one.split(".")[:2] == other.split(".")[:2]
    return head and parts(one)[2:] == parts(other)[2:]


@pytest.mark.parametrize(
    "junk", ["", "b1", "b1...", "b1.old..", "b1.old.é.é", "b2.old.AAAA.AAAA", "x" * 5000]
)
def test_junk_does_not_open(junk: str) -> None:
    with pytest.raises(Unsealable):
        ring().open(HERE, junk)


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    own = ring()
    assert len({own.seal(HERE, Secret("x")) for _ in range(100)}) == 100


def test_no_nonce_is_used_twice() -> None:
    """Asked of the entropy itself: each seal takes a key and two nonces, each rewrap a nonce."""
    numbers = count()
    own = KeyRing({"a": OLD}, lambda size: next(numbers).to_bytes(size, "big"))
    sealed = own.seal(HERE, Secret("x"))
    assert next(numbers) == 3
    own.rewrap(HERE, sealed)
    assert next(numbers) == 5


def test_keys_rotate() -> None:
    old = ring(old=OLD)
    sealed = old.seal(HERE, Secret("s3cret"))
    assert not old.stale(sealed)
    both = ring(new=NEW, old=OLD)
    assert both.open(HERE, sealed).reveal() == "s3cret"
    assert both.stale(sealed)
    fresh = both.rewrap(HERE, sealed)
    assert not both.stale(fresh)
    assert fresh.rsplit(".", 1)[1] == sealed.rsplit(".", 1)[1], "the secret is not sealed anew"
    assert ring(new=NEW).open(HERE, fresh).reveal() == "s3cret"
    with pytest.raises(Unsealable) as caught:
        ring(new=NEW).open(HERE, sealed)
    assert caught.value.code == "key_missing"
    assert "old" in caught.value.detail


def test_a_wrong_key_of_the_right_name_opens_nothing() -> None:
    sealed = ring(old=OLD).seal(HERE, Secret("s3cret"))
    with pytest.raises(Unsealable):
        ring(old=NEW).open(HERE, sealed)


def test_fingerprints_tell_secrets_apart_and_depend_on_the_key() -> None:
    own, other = ring(), ring(new=NEW)
    assert own.fingerprint(Secret("a")) == own.fingerprint(Secret("a"))
    assert own.fingerprint(Secret("a")) != own.fingerprint(Secret("b"))
    assert own.fingerprint(Secret("a")) != other.fingerprint(Secret("a")), "no guessing without it"


def test_nothing_shows() -> None:
    own = ring()
    assert OLD not in repr(own)
    assert OLD not in str(vars(own))
    with pytest.raises(TypeError):
        pickle.dumps(own)


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({}, "missing_key"),
        ({"a": "short"}, "invalid_sealing_key"),
        ({"a": base64.b64encode(b"x" * 31).decode()}, "invalid_sealing_key"),
        ({"a": "é" * 44}, "invalid_sealing_key"),
        ({"a.b": OLD}, "invalid_key_id"),
        ({"": OLD}, "invalid_key_id"),
    ],
)
def test_a_ring_that_cannot_be_used_is_refused(keys: dict[str, str], code: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        KeyRing(keys, entropy)
    assert caught.value.code == code
    assert OLD not in caught.value.detail


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "b.sqlite3.keys"
    (tmp_path / "b.sqlite3.keys.part").write_text("a crash left this")
    made = key_file(file, entropy)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key_file(file, entropy) == made
    sealed = KeyRing(made, entropy).seal(HERE, Secret("x"))
    assert KeyRing(key_file(file, entropy), entropy).open(HERE, sealed).reveal() == "x"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b"\xff", b"{"])
def test_a_key_file_that_holds_no_keys_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(Misconfigured) as caught:
        key_file(file, entropy)
    assert caught.value.code == "key_file"
    assert file.read_bytes() == content


def test_a_key_file_where_none_can_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        key_file(tmp_path / "missing" / "keys", entropy)
    assert caught.value.code == "key_file"
