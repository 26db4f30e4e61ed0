"""Columns judged at once are judged as each value alone would be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.simulators.fast.columns import hexadecimal, uuids

GOOD_ID = b"0123abcd-0000-4000-8000-00000000ABCD"
DEVICES = [b"ab" * 32, b"EF" * 50, b"ab" * 31, b"ab" * 32 + b"c", b"zz" * 32, b""]
DEVICES += [b"ab" * 27 + b"/3/device/", b"\xc3" * 64]
hexadecimals = st.text("0123456789abcdefABCDEF", max_size=202).map(str.encode)


@given(st.lists(st.one_of(st.sampled_from(DEVICES), hexadecimals), min_size=1, max_size=6))
def test_a_column_of_paths_is_good_if_each_is(devices: list[bytes]) -> None:
    found = hexadecimal([b"/3/device/" + device for device in devices], b"/3/device/")
    each = all(
        device
        and not device.translate(None, b"0123456789abcdefABCDEF")
        and 64 <= len(device) <= 200
        and len(device) % 2 == 0
        for device in devices
    )
    alike = len({len(device) for device in devices}) == 1
    assert found == (devices if each and alike else None)


def test_a_path_that_only_adds_up_is_seen() -> None:
    whole = b"/3/device/" + b"a" * 64
    shifted = [whole + b"/", whole[1:]]
    assert hexadecimal(shifted, b"/3/device/") is None
    assert hexadecimal([b"/3/other!/" + b"a" * 64], b"/3/device/") is None
    assert hexadecimal([b"/3/device/" * 2 + b"a" * 54], b"/3/device/") is None


@pytest.mark.parametrize(
    ("ids", "good"),
    [
        ([GOOD_ID, GOOD_ID.lower()], True),
        ([GOOD_ID + b"0", GOOD_ID[1:]], False),
        ([GOOD_ID.replace(b"-", b"0")], False),
        ([GOOD_ID[:8] + b"0-" + GOOD_ID[10:]], False),
        ([GOOD_ID, b"-" * 36], False),
        ([b"g" + GOOD_ID[1:]], False),
    ],
)
def test_a_column_of_ids(ids: list[bytes], good: bool) -> None:
    assert uuids(ids) is good
