"""The fast lane's clerk and the strict rules give the same answers to whatever is asked."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import h2.connection
from hypothesis import given
from hypothesis import strategies as st

from booper.http2 import Batch, Client, frames
from booper.simulators.apns import (
    Account,
    Desk,
    Habits,
    PushRequest,
    Registration,
    SigningKey,
    Standing,
    generate_key,
    judge,
)
from booper.simulators.fast.apns import ApnsClerk
from booper.simulators.faults import Answer as ScriptedAnswer
from booper.simulators.faults import Faults
from booper.simulators.ledger import Ledger
from booper.wire import Header, Reply, Stamp, Template

NOW = 1_800_000_000.0
KEY = generate_key(topics=frozenset({"org.example.app"}))
OTHER = generate_key(key_id="OTHER12345", topics=frozenset({"org.example.other"}))
GOOD_ID = b"0123abcd-0000-4000-8000-00000000ABCD"

TOKENS = [
    *[KEY.mint(NOW)] * 5,
    KEY.mint(NOW - 10),
    KEY.mint(NOW - 4000),
    OTHER.mint(NOW),
    KEY.mint(NOW, team_id="WRONG12345"),
    "nonsense",
]
AUTHORIZATIONS = [(b"authorization", f"bearer {token}".encode()) for token in TOKENS]
TOPICS: list[tuple[Header, ...]] = [
    *[((b"apns-topic", b"org.example.app"),)] * 4,
    ((b"apns-topic", b"org.example.other"),),
    ((b"apns-topic", b"not a topic"),),
    ((b"apns-topic", b"org.example.app"), (b"apns-topic", b"org.example.app")),
    (),
]
OTHERS: list[tuple[Header, ...]] = [
    *[((b"apns-push-type", b"alert"), (b"apns-priority", b"10"))] * 4,
    ((b"apns-push-type", b"background"), (b"apns-priority", b"10")),
    ((b"apns-push-type", b"strange"),),
    ((b"apns-push-type", b"voip"), (b"apns-expiration", b"tomorrow")),
    ((b"apns-priority", b"7"),),
    ((b"apns-collapse-id", b"x" * 65),),
    ((b"apns-id", GOOD_ID),),
    (),
]
STAMPED: list[tuple[bytes, ...]] = [*[(b"apns-id",)] * 4, (), (b"apns-expiration", b"apns-id")]
PATHS = [*[b"ab" * 32, b"cd" * 32, b"01" * 32] * 3, b"EF" * 50, b"09" * 32, b"08" * 32]
PATHS += [b"ab" * 31, b"ab" * 32 + b"c", b"zz" * 32, b"", b"ab" * 27 + b"/3/device/", b"\xc3" * 64]
IDS = [*[GOOD_ID, b"0" * 8 + b"-1111-2222-3333-" + b"f" * 12] * 4, b"", GOOD_ID[1:] + b"-", b"x"]
EXPIRATIONS = [b"0", b"1800000000", b"never"]
BODIES = [*[b'{"aps":{}}'] * 6, b'{"aps":{"alert":"hello"}}', b"{", b"[]", b"\xff{}", b""]
BODIES += [b'{"x":"%b"}' % (b"y" * 4088), b'{"x":"%b"}' % (b"y" * 4089)]


def account(*, devices: bool, strangers: bool) -> Account:
    """An Apple that knows both keys and, if wanted, some devices."""
    made = Account([KEY.team_key, OTHER.team_key], known_devices_only=not strangers)
    if devices:
        made.register("ab" * 32)
        made.register("cd" * 32, Registration(topic="org.example.app"))
        made.register("09" * 32, Registration(topic="org.example.none"))
        made.unregister("08" * 32, 1_700_000_000_000)
    return made


headers = st.builds(
    lambda one, *more: (*([one] if one else []), *chain(*more)),
    st.sampled_from([*AUTHORIZATIONS, None]),
    st.sampled_from(TOPICS),
    st.sampled_from(OTHERS),
)
templates = st.builds(
    lambda fixed, stamped, path: Template(b"host", path, fixed, stamped),
    headers,
    st.sampled_from(STAMPED),
    st.sampled_from([*[b"/3/device/"] * 6, b"/3/other/"]),
)
values = {b"apns-id": st.sampled_from(IDS), b"apns-expiration": st.sampled_from(EXPIRATIONS)}


@st.composite
def runs(draw: st.DrawFn) -> tuple[Template, list[Stamp]]:
    """A run of requests of one template."""
    template = draw(templates)
    stamp = st.tuples(
        st.sampled_from(PATHS),
        st.tuples(*(values[name] for name in template.stamped)),
        st.sampled_from(BODIES),
    )
    return template, draw(st.lists(stamp, min_size=1, max_size=12))


Verdict = tuple[int, Any, bytes | None]  # status, body, the apns-id that the request brought


class Apple:
    """A clerk with a client in front of it, and the rules beside it."""

    def __init__(self, known: Account) -> None:
        self.desk = Desk(known, Faults(), Ledger(), Habits(faithful_streams=False), lambda: NOW)
        self.clerk = ApnsClerk(self.desk)
        self.client = Client()
        self.written: list[tuple[str, str]] = []
        self._strict = Desk(known, Faults(), Ledger(), Habits(), lambda: NOW)
        self._standing: Standing | None = None
        self.exchange()

    def exchange(self) -> None:
        for _ in range(4):
            requests = self.clerk.server.receive(self.client.take())
            if requests:
                self.clerk.answer(requests).send(self.clerk.server)
            self.client.receive(self.clerk.server.take())

    def fast(self, template: Template, stamps: list[Stamp]) -> list[Verdict]:
        batch = Batch(len(stamps))
        assert self.client.submit(template, stamps, 0, len(stamps), batch) == len(stamps)
        self.exchange()
        assert batch.left == 0
        assert all(isinstance(answer, Reply) for answer in batch.answers)
        return [
            (answer.status, json.loads(answer.body or b"null"), answer.header(b"apns-id"))
            for answer in batch.answers
            if isinstance(answer, Reply)
        ]

    def strictly(self, template: Template, stamps: list[Stamp]) -> list[Verdict]:
        verdicts: list[Verdict] = []
        for path, own, body in stamps:
            fields = (*template.headers, *zip(template.stamped, own, strict=True))
            push = PushRequest(b"POST", template.path + path, fields, body)
            found = judge(push, self.desk.account, self._strict.tokens, self._standing, NOW)
            self._standing = found.standing
            verdict = found.verdict
            own_id = found.apns_id
            verdicts.append(
                (
                    verdict.status,
                    json.loads(verdict.body() or b"null"),
                    own_id.encode() if own_id else None,
                )
            )
            if verdict.status == 200:
                self.written.append((found.instance, found.device))
        return verdicts


@given(st.lists(runs(), min_size=1, max_size=8), st.booleans(), st.booleans())
def test_the_fast_lane_and_the_strict_rules_agree(
    asked: list[tuple[Template, list[Stamp]]], devices: bool, strangers: bool
) -> None:
    apple = Apple(account(devices=devices, strangers=strangers))
    for template, stamps in asked:
        for fast, strict in zip(
            apple.fast(template, stamps), apple.strictly(template, stamps), strict=True
        ):
            assert fast[:2] == strict[:2]
            if strict[2] is not None:
                assert fast[2] == strict[2]
            else:
                assert fast[2] is not None
                assert len(fast[2]) == 36
    entries = [(entry.instance, entry.device) for entry in apple.desk.ledger]
    assert entries == apple.written
    refused = sum(len(stamps) for _, stamps in asked) - len(entries)
    assert sum(apple.desk.ledger.refused.values()) == refused


def test_the_common_run_is_really_taken_at_once() -> None:
    apple = Apple(account(devices=False, strangers=True))
    fixed = (AUTHORIZATIONS[0], *TOPICS[0], *OTHERS[0])
    template = Template(b"host", b"/3/device/", fixed, (b"apns-id",))
    stamps: list[Stamp] = [(b"ab" * 32, (GOOD_ID,), b"{}")] * 20
    apple.fast(template, stamps)
    requests = []
    batch = Batch(20)
    apple.client.submit(template, stamps, 0, 20, batch)
    requests = apple.clerk.server.receive(apple.client.take())
    answers = apple.clerk.answer(requests)
    assert [len(run.streams) for run in answers.alike] == [20]
    assert not answers.each


def test_a_token_that_grows_old_on_its_connection_is_refused(key: SigningKey) -> None:
    times = [NOW]
    habits = Habits(faithful_streams=False)
    desk = Desk(Account([key.team_key]), Faults(), Ledger(), habits, lambda: times[-1])
    clerk, client = ApnsClerk(desk), Client()
    bearer = (b"authorization", f"bearer {key.mint(NOW)}".encode())
    topic = (b"apns-topic", b"org.example.app")
    template = Template(b"host", b"/3/device/", (bearer, topic), (b"apns-id",))
    statuses = []
    for age in (0, 3600, 3601):
        times.append(NOW + age)
        batch = Batch(4)
        for _ in range(4):
            requests = clerk.server.receive(client.take())
            if requests:
                clerk.answer(requests).send(clerk.server)
            client.receive(clerk.server.take())
            if client.room and batch.left == 4:
                stamps: list[Stamp] = [(b"ab" * 32, (GOOD_ID,), b"{}")] * 4
                client.submit(template, stamps, 0, 4, batch)
        statuses.append({answer.status for answer in batch.answers if isinstance(answer, Reply)})
    assert statuses == [{200}, {200}, {403}]


def test_a_fault_leaves_nobody_waiting_who_was_promised_an_answer() -> None:
    desk = Desk(Account([KEY.team_key]), Faults(), Ledger(), Habits(), lambda: NOW)
    clerk = ApnsClerk(desk)
    peer = h2.connection.H2Connection()
    peer.initiate_connection()
    fields = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "host"),
        (":path", "/3/device/" + "ab" * 32),
        ("authorization", f"bearer {TOKENS[0]}"),
        ("apns-topic", "org.example.app"),
    ]

    def said() -> list[tuple[int, int]]:
        """Type and stream of what the server says; a GOAWAY's last stream. (h2 would hang up.)"""
        requests = clerk.server.receive(peer.data_to_send())
        if requests:
            clerk.answer(requests).send(clerk.server)
        data, found = clerk.server.take(), []
        while data:
            size, kind = int.from_bytes(data[:3], "big"), data[3]
            at = 9 if kind == frames.GOAWAY else 5
            found.append((kind, int.from_bytes(data[at : at + 4], "big")))
            data = data[9 + size :]
        return found

    peer.send_headers(1, fields)
    peer.send_headers(3, fields)
    peer.send_data(3, b"{}", end_stream=True)
    assert (frames.HEADERS, 3) in said()
    desk.faults.script(ScriptedAnswer(503, "ServiceUnavailable"))
    peer.send_headers(5, fields)
    peer.send_data(5, b"{}", end_stream=True)
    peer.send_data(1, b"{}", end_stream=True)
    found = said()
    assert (frames.GOAWAY, 3) in found
    assert [stream for kind, stream in found if kind == frames.HEADERS] == [1]
    assert len(desk.ledger) == 2
