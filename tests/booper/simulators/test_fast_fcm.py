"""The fast Google gives the strict one's answers, over real sockets and one by one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest

from booper.clock import SystemClock, SystemDice
from booper.http2 import Head
from booper.providers.fcm import Fcm
from booper.simulators.fast import FastFcmSimulator
from booper.simulators.fast.fcm import FcmClerk
from booper.simulators.faults import Answer, Faults
from booper.simulators.fcm import Credentials, FcmExaminer, Project, generate_account
from booper.simulators.ledger import Ledger
from booper.simulators.serving import Desk, Habits, PushRequest
from booper.transport import Http2Transport
from booper.wire import Endpoint, Reply, Template

if TYPE_CHECKING:
    from pathlib import Path

    import trio

    from booper.wire import Answer as Heard

NOW = 1_800_000_000.0
ISSUED = generate_account("my-project")
CODEC = Fcm().codec("google", {"credentials": ISSUED.file("https://x/token")})
PATH = b"/v1/projects/my-project/messages:send"
GOOD = b'{"message":{"token":"%b","notification":{"title":"t"},"android":{"collapse_key":"c"}}}'
NAMELESS = b'{"message":{"token":"%b","data":{"k":"v"}}}'
BAD = b'{"message":{"token":"%b","data":{"k":1}}}'
CHECKED = b'{"message":{"token":"%b"},"validate_only":true}'
TOKENS = [b"device%04d:abcdef" % number for number in range(8)]


def bearer(now: float = NOW) -> bytes:
    return b"Bearer " + CODEC.mint(now).text.reveal().encode()


def project() -> Project:
    found = Project("my-project", [ISSUED.account])
    found.unregister(TOKENS[3].decode())
    return found


# A run of requests: path, body; told apart by what is wrong with them.
RUN = [
    *((PATH, GOOD % token) for token in TOKENS),
    *((PATH, NAMELESS % token) for token in TOKENS[:3]),
    (PATH, GOOD % b"short"),
    (PATH, GOOD % b'a"b'),
    (PATH, GOOD % (b"x" * 4097)),
    (PATH, GOOD % (b"line\nfeed" * 3)),
    (PATH, GOOD.replace(b"token", b"topic") % b"news"),
    (PATH, BAD % TOKENS[0]),
    (PATH, BAD % TOKENS[1]),
    (PATH, CHECKED % TOKENS[0]),
    (PATH, CHECKED % TOKENS[1]),
    (PATH, b'{"message":{"token":"no end'),
    (PATH, b""),
    (PATH.replace(b"my", b"your"), GOOD % TOKENS[0]),
    (b"/token", b"x=y"),
    *((PATH, GOOD % token) for token in TOKENS),
]


@pytest.mark.parametrize("presented", [bearer(), bearer(NOW - 7200), b"Bearer x", None])
def test_the_fast_lane_and_the_strict_rules_agree(presented: bytes | None) -> None:
    fields = () if presented is None else ((b"authorization", presented),)
    ledgers: list[Ledger] = []
    answers: list[list[tuple[int, object]]] = []
    for fast in (True, False):
        known, ledger = project(), Ledger()
        desk = Desk(Faults(), ledger, Habits(), lambda: NOW)
        credentials = Credentials(known)
        examiner = FcmExaminer(known, credentials, desk)
        if fast:
            clerk = FcmClerk(desk, examiner, known, credentials)
            head = Head({b":method": b"POST"}, fields, ())
            run = [(2 * n + 1, path, head, (), body) for n, (path, body) in enumerate(RUN)]
            found = clerk.answer(run)
            assert [stream for stream, _, _ in found.each] == [request[0] for request in run]
            answers.append([_shown(body) for _, _, body in found.each])
        else:
            judged = [examiner.judge(PushRequest(b"POST", p, fields, b)) for p, b in RUN]
            for one in judged:
                if one.response.reason:
                    ledger.refuse(one.response.reason)
                else:
                    ledger.accept(one.instance, one.device, one.push_id, NOW)
            answers.append([_shown(one.response.body) for one in judged])
        ledgers.append(ledger)
    assert answers[0] == answers[1]
    quick, strict = ledgers
    assert quick.refused == strict.refused
    assert [(e.instance, e.device) for e in quick] == [(e.instance, e.device) for e in strict]
    named = [[e.push_id == "c" for e in ledger] for ledger in ledgers]
    assert named[0] == named[1]
    assert len({e.push_id for e in quick}) == len({e.push_id for e in strict})


def _shown(body: bytes) -> tuple[int, object]:
    """An answer without the number in a name."""
    said = msgspec.json.decode(body)
    return (200, said["name"].rpartition("/")[0]) if "name" in said else (0, said)


async def test_real_pushes_in_both_lanes(nursery: trio.Nursery, tmp_path: Path) -> None:
    fast = FastFcmSimulator(project())
    await nursery.start(fast.serve)
    authority = tmp_path / "ca.pem"
    authority.write_text(fast.ca_pem)
    pool = Http2Transport(SystemDice()).pool(
        Endpoint("localhost", fast.port, ca_file=str(authority), max_connections=1)
    )
    nursery.start_soon(pool.run)
    send = partial(pool.send, timeout=20)
    now = SystemClock().wall()
    template = Template(b"localhost", PATH, ((b"authorization", bearer(now)),))
    stamps = [(b"", (), GOOD % (b"device%06d:abc" % number)) for number in range(300)]

    def statuses(answers: list[Heard]) -> set[int]:
        return {answer.status if isinstance(answer, Reply) else 0 for answer in answers}

    assert statuses(await send(template, stamps)) == {200}
    assert statuses(await send(template, [(b"", (), GOOD % TOKENS[3])])) == {404}
    fast.faults.script(Answer(503, "UNAVAILABLE"), times=1)
    answers = await send(template, stamps)
    assert sorted(a.status if isinstance(a, Reply) else 0 for a in answers)[-2:] == [200, 503]
    assert fast.ledger.refused == {"UNREGISTERED": 1, "UNAVAILABLE": 1}
    assert len(fast.ledger) == 599
    nursery.cancel_scope.cancel()


async def test_strangers_are_welcome_if_so_wished(nursery: trio.Nursery, tmp_path: Path) -> None:
    fast = FastFcmSimulator(Project("my-project"), strangers=True)
    await nursery.start(fast.serve)
    authority = tmp_path / "ca.pem"
    authority.write_text(fast.ca_pem)
    pool = Http2Transport(SystemDice()).pool(Endpoint("localhost", fast.port, str(authority)))
    nursery.start_soon(pool.run)
    for headers, status in ((((b"authorization", b"Bearer x"),), 200), ((), 401)):
        template = Template(b"localhost", PATH, headers)
        (answer,) = await pool.send(template, [(b"", (), GOOD % TOKENS[0])], timeout=20)
        assert isinstance(answer, Reply)
        assert answer.status == status
    nursery.cancel_scope.cancel()
