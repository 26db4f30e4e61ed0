"""Each row of ntfy's error → action table, from our server and from a stranger's."""

from __future__ import annotations

import msgspec
import pytest

from booper.domain.outcome import About, Kind
from booper.providers.ntfy_answers import read
from booper.wire import Lost, Reply


def answer(status: int, code: int | None = None, *headers: tuple[bytes, bytes]) -> Reply:
    said = {"code": code, "http": status, "error": "x"}
    return Reply(status, headers, b"" if code is None else msgspec.json.encode(said))


@pytest.mark.parametrize(
    ("status", "code", "kind", "after"),
    [
        (200, None, Kind.ACCEPTED, 0),
        (202, None, Kind.ACCEPTED, 0),
        (400, 40007, Kind.FAILED, 0),
        (400, 40009, Kind.GONE, 0),
        (400, 40010, Kind.GONE, 0),
        (400, None, Kind.FAILED, 0),
        (401, 40101, Kind.REFUSED, 60),
        (403, 40301, Kind.REFUSED, 60),
        (401, None, Kind.REFUSED, 60),
        (403, None, Kind.REFUSED, 60),
        (404, 40401, Kind.FAILED, 0),
        (413, 41301, Kind.FAILED, 0),
        (429, 42901, Kind.RETRY, 5),
        (429, 42908, Kind.RETRY, 3600),
        (429, 42909, Kind.REFUSED, 60),
        (429, None, Kind.RETRY, 60),
        (500, 50001, Kind.RETRY, 60),
        (503, None, Kind.RETRY, 60),
        (507, 50701, Kind.RETRY, 3600),
        (507, None, Kind.RETRY, 3600),
        (301, None, Kind.RETRY, 60),
        (307, None, Kind.RETRY, 60),
    ],
)
def test_our_server(status: int, code: int | None, kind: Kind, after: float) -> None:
    outcome = read(answer(status, code))
    assert (outcome.kind, outcome.status, outcome.after) == (kind, status, after)
    if kind is not Kind.ACCEPTED:
        assert outcome.reason == (str(code) if code else f"HTTP {status}")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (201, None, Kind.ACCEPTED),
        (400, 40009, Kind.GONE),
        (401, None, Kind.FAILED),
        (401, 40101, Kind.FAILED),
        (403, 40301, Kind.FAILED),
        (404, None, Kind.GONE),
        (410, None, Kind.GONE),
        (413, None, Kind.FAILED),
        (429, None, Kind.RETRY),
        (429, 42909, Kind.RETRY),
        (503, 40101, Kind.RETRY),
        (507, None, Kind.RETRY),
    ],
)
def test_a_strangers_server_says_nothing_about_our_key(
    status: int, code: int | None, kind: Kind
) -> None:
    outcome = read(answer(status, code), foreign=True)
    assert (outcome.kind, outcome.about) == (kind, About.STRANGER)
    assert read(Lost(sent=False, reason="reset"), foreign=True).about is About.STRANGER
    assert read(answer(status, code)).about is About.USUAL


def test_nobody_listening_and_somebody_are_told_apart_from_not_knowing() -> None:
    assert read(answer(507, 50701)).listening is False
    assert read(answer(507), foreign=True).listening is False
    assert read(answer(200)).listening is True
    assert read(answer(503)).listening is None


@pytest.mark.parametrize(
    ("date", "after"),
    [
        (b"Sat, 21 Nov 2026 16:30:00 GMT", 27_000),
        (b"Sat, 21 Nov 2026 00:00:00 GMT", 86_400),
        (b"Sat, 21 Nov 2026 23:59:59 GMT", 1),
        (b"Sat, 21 Nov 2026 23:30:00 +0100", 5_400),
        (b"yesterday", 3600),
        (b"", 3600),
    ],
)
def test_a_days_quota_is_waited_for_until_midnight_utc(date: bytes, after: float) -> None:
    assert read(answer(429, 42908, (b"date", date))).after == after
    assert read(answer(429, 42901, (b"date", date))).after == 5


def test_retry_after_is_honoured() -> None:
    assert read(answer(429, 42901, (b"retry-after", b"33"))).after == 33
    assert read(answer(429, 42901, (b"retry-after", b"1000000000"))).after == 3600
    assert read(answer(503, None, (b"retry-after", b"nan"))).after == 60


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"[]", b"null", b'{"code":"40101"}', b'{"code":1e400}', b"[" * 50_000],
)
def test_junk_is_judged_by_its_status(body: bytes) -> None:
    assert read(Reply(400, (), body)).kind is Kind.FAILED
    assert read(Reply(200, (), body)).kind is Kind.ACCEPTED


def test_the_message_id_is_kept() -> None:
    assert read(Reply(200, (), b'{"id":"abc","event":"message"}')).provider_id == "abc"
    assert len(read(Reply(200, (), b'{"id":"' + b"x" * 9000 + b'"}')).provider_id) == 100


def test_no_answer() -> None:
    assert read(Lost(sent=True, reason="reset")).maybe_sent
    assert read(Lost(sent=False, reason="guarded", detail="no")).kind is Kind.FAILED
