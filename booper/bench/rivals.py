"""The others, unmodified and at their best: 50 requests in flight, or h2load's own way.

They send what the batch interface sends: same path, headers and payload, fewer requests, since a
figure is per request. aioapns writes the payload itself, as it always does.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from booper.bench import job as jobs
from booper.bench.job import Job, Result
from booper.bench.meter import Meter

IN_FLIGHT = 50
_URIS = 1000

Push = Callable[[int], Awaitable[bool]]


def aioapns(job: Job) -> Result:
    """aioapns 4 (PyPI): the fastest sender of its kind in Python."""
    from aioapns import APNs, NotificationRequest, PushType
    from aioapns.connection import APNsProductionClientProtocol

    place = job.place
    key = Path(place.key_file).read_text("utf-8")
    APNsProductionClientProtocol.APNS_SERVER = place.host
    APNsProductionClientProtocol.APNS_PORT = place.port

    async def main() -> Result:
        client = APNs(
            key=key,
            key_id=place.key_id,
            team_id=place.team_id,
            topic=place.topic,
            ssl_context=ssl.create_default_context(cafile=place.ca_file),
            max_connections=1,
        )

        async def push(number: int) -> bool:
            request = NotificationRequest(
                device_token=jobs.device(number),
                message=jobs.PAYLOAD,
                notification_id=jobs.PUSH_ID % number,
                time_to_live=86_400,
                priority=10,
                push_type=PushType.ALERT,
            )
            return (await client.send_notification(request)).is_successful

        result = await _measure(job, push)
        client.pool.close()
        return result

    return asyncio.run(main())


def httpx(job: Job) -> Result:
    """httpx with its HTTP/2: what one reaches for without a push library."""
    import httpx as library

    place = job.place

    async def main() -> Result:
        context = ssl.create_default_context(cafile=place.ca_file)
        fixed, body = jobs.headers(place), jobs.body()
        url = f"https://{place.host}:{place.port}/3/device/"
        async with library.AsyncClient(
            http2=True, http1=False, verify=context, trust_env=False, timeout=60
        ) as client:

            async def push(number: int) -> bool:
                own = {**fixed, "apns-id": jobs.PUSH_ID % number}
                answer = await client.post(url + jobs.device(number), headers=own, content=body)
                return answer.status_code == 200

            return await _measure(job, push)

    return asyncio.run(main())


async def _measure(job: Job, push: Push) -> Result:
    await push(0)  # the server allows one stream until it has seen who we are
    await _closed(push, job.warmup)
    meter = Meter(job.place.pid)
    ok = await _closed(push, job.requests)
    meter.stop()
    return _result(job.requests, ok, meter)


async def _closed(push: Push, requests: int) -> int:
    numbers = iter(range(requests))

    async def sender() -> int:
        return sum([await push(number) for number in numbers])

    return sum(await asyncio.gather(*(sender() for _ in range(IN_FLIGHT))))


def h2load(job: Job) -> Result:
    """nghttp2's load generator, in C: one thread, one connection, one apns-id for all."""
    place = job.place
    program = shutil.which("h2load")
    if program is None:
        raise FileNotFoundError("h2load is not installed")
    with TemporaryDirectory(prefix="booper-bench-") as folder:
        uris, payload = Path(folder, "uris"), Path(folder, "payload")
        root = f"https://{place.host}:{place.port}/3/device/"
        uris.write_text("".join(f"{root}{jobs.device(n)}\n" for n in range(_URIS)))
        payload.write_bytes(jobs.body())
        command = [program, "-t1", "-c1", f"-m{job.streams}", "-i", str(uris), "-d", str(payload)]
        for name, value in {**jobs.headers(place), "apns-id": jobs.PUSH_ID % 1}.items():
            command += ["-H", f"{name}: {value}"]
        _h2load(command, job.warmup)
        meter = Meter(place.pid)
        ok = _h2load(command, job.requests)
        meter.stop()
    return _result(job.requests, ok, meter)


def _h2load(command: list[str], requests: int) -> int:
    """How many of the requests were answered with 2xx."""
    ended = subprocess.run(  # noqa: S603  (found by us, with arguments of ours)
        [*command, f"-n{requests}"], capture_output=True, text=True, check=True
    )
    found = re.search(r"status codes: (\d+) 2xx", ended.stdout)
    return int(found[1]) if found else 0


def _result(requests: int, ok: int, meter: Meter) -> Result:
    return Result(
        requests=requests,
        ok=ok,
        seconds=meter.seconds,
        cpu=meter.cpu,
        server_cpu=meter.server_cpu,
    )
