"""Servers other people wrote: nghttpd and nginx, where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

import pytest
import trio

from booper.transport import Http2Transport, Pool
from booper.wire import Endpoint, Reply, Stamp, Template
from tests.booper.transport.real import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tests.booper.transport.certificates import Authority

pytestmark = pytest.mark.real

NAMES = 50
TEMPLATE = Template(b"localhost", b"/name-", ((b"content-type", b"application/json"),))


def program(name: str, package: str) -> str:
    """Where it is, or a loud skip."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.skip(f"NOT TESTED against {name}: it is not installed (Debian: {package})")
    return path


@asynccontextmanager
async def running(command: Sequence[str], port: int) -> AsyncIterator[None]:
    """The program, once it listens."""
    process = await trio.lowlevel.open_process(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with trio.fail_after(20):
            while True:
                try:
                    await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
                    break
                except OSError:
                    assert process.poll() is None, f"{command[0]} ended by itself"
                    await trio.sleep(0.05)
        yield
    finally:
        process.terminate()
        with trio.CancelScope(shield=True):
            await process.wait()


def names(count: int, start: int) -> list[Stamp]:
    return [(str((start + i) % NAMES).encode(), (), b'{"a":1}') for i in range(count)]


async def check(pool: Pool, batches: int) -> None:
    """Many callers at once; each answer must be its own."""

    async def caller(start: int) -> None:
        asked = names(250, start)
        answers = await pool.send(TEMPLATE, asked, timeout=60)
        for (name, _, _), answer in zip(asked, answers, strict=True):
            assert isinstance(answer, Reply), answer
            assert answer.status == 200
            assert answer.body == b"/name-" + name

    async with trio.open_nursery() as nursery:
        for i in range(batches):
            nursery.start_soon(caller, i * 7)


def opened(nursery: trio.Nursery, port: int, authority: Authority, connections: int) -> Pool:
    endpoint = Endpoint("localhost", port, authority.file, max_connections=connections)
    pool = Http2Transport(Random(1)).pool(endpoint)
    nursery.start_soon(pool.run)
    return pool


@pytest.mark.parametrize(("streams", "connections"), [(100, 1), (7, 3), (1000, 2)])
async def test_nghttpd(
    nursery: trio.Nursery, authority: Authority, tmp_path: Path, streams: int, connections: int
) -> None:
    nghttpd = program("nghttpd", "nghttp2-server")
    for i in range(NAMES):
        (tmp_path / f"name-{i}").write_text(f"/name-{i}")
    key, chain = authority.files(tmp_path)
    port = free_port()
    command = [nghttpd, "-a", "127.0.0.1", "-d", str(tmp_path), "-m", str(streams)]
    async with running([*command, str(port), key, chain], port):
        pool = opened(nursery, port, authority, connections)
        await check(pool, 20)
        assert pool.statistics().opened <= connections
        await pool.aclose()


NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 100; http2_max_concurrent_streams 64;
  server {{
    listen 127.0.0.1:{port} ssl http2; server_name localhost;
    ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols {tls};
    location / {{ return 200 $request_uri; }}
  }}
}}
"""


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
async def test_nginx_that_says_goaway_after_every_hundred_requests(
    nursery: trio.Nursery, authority: Authority, tmp_path: Path, version: str
) -> None:
    nginx = program("nginx", "nginx-light")
    key, chain = authority.files(tmp_path)
    port = free_port()
    settings = tmp_path / "nginx.conf"
    settings.write_text(NGINX.format(folder=tmp_path, port=port, key=key, chain=chain, tls=version))
    async with running([nginx, "-p", str(tmp_path), "-c", str(settings)], port):
        pool = opened(nursery, port, authority, 2)
        await check(pool, 12)
        assert pool.statistics().opened >= 20
        await pool.aclose()
