"""The engine's benchmark does what it says, to the last request. How fast is not judged here."""

from __future__ import annotations

import shutil
import subprocess

import msgspec
import pytest

from booper.bench import engine
from booper.bench.job import Job, Place, Result
from booper.cli import bench

KEYS = {"requests", "ok", "requests_per_second", "cpu_us_per_request", "p50_ms", "p99_ms"}
BUSY = {"client_busy", "server_busy"}
PLACE = Place(
    host="localhost",
    port=1,
    ca_file="",
    key_file="",
    key_id="KEY1234567",
    team_id="TEAM123456",
    topic="com.example.app",
)


def result(cpu: float, seconds: float = 2.0, server_cpu: float = 0.5) -> Result:
    return Result(requests=100, ok=100, seconds=seconds, cpu=cpu, server_cpu=server_cpu)


def test_figures_are_medians_and_ratios_are_of_the_same_round() -> None:
    results = {
        "batch": [result(1.0), result(2.0), result(4.0, seconds=1.0)],
        "instance": [result(10.0)] * 3,
        "aioapns": [result(70.0), result(280.0), result(320.0)],
    }
    figures = engine.figures(results)
    assert figures["requests_per_second"] == 50
    assert figures["cpu_us_per_request"] == 20_000
    assert figures["client_busy"] == 1.0
    assert figures["server_busy"] == 0.25
    assert figures["ratio_to_aioapns"] == 80  # of 70, 140, 80
    assert figures["instance_ratio_to_aioapns"] == 28
    assert figures["aioapns_requests"] == 100
    assert not {"ratio_to_httpx", "p50_ms", "aioapns_ratio_to_aioapns"} & figures.keys()


@pytest.mark.real
@pytest.mark.slow
def test_every_contender_gets_every_request_accepted() -> None:
    figures = engine.measure(requests=2000, streams=100, rounds=1)
    names = {"", "instance_", "batch_fcm_", "instance_fcm_", "aioapns_", "httpx_"}
    rivals = {"aioapns", "httpx"}
    if shutil.which("h2load"):
        names.add("h2load_")
        rivals.add("h2load")
    for name in names:
        assert figures[f"{name}ok"] == figures[f"{name}requests"] > 0
        assert {name + key for key in BUSY} <= figures.keys()
    for name in ("", "instance_", "batch_fcm_", "instance_fcm_"):
        assert {name + key for key in KEYS} <= figures.keys()
        assert figures[f"{name}requests"] == 2000
        assert 0 < figures[f"{name}p50_ms"] <= figures[f"{name}p99_ms"]
        for rival in rivals:
            assert figures[f"{name}ratio_to_{rival}"] > 0


@pytest.mark.real
def test_another_server_can_be_measured() -> None:
    with engine.opposite(None, streams=50) as ours:
        outside = msgspec.structs.replace(ours, pid=0)
        figures = engine.measure(requests=500, streams=50, rounds=1, place=outside)
    assert figures["ok"] == figures["instance_ok"] == 500
    assert figures["aioapns_ok"] == figures["aioapns_requests"] == 500 // 40
    assert "batch_fcm_ok" not in figures
    assert "server_busy" not in figures


@pytest.mark.real
def test_a_far_server_has_as_many_requests_in_flight_as_it_allows() -> None:
    figures = engine.measure_delayed(requests=500, streams=100, delay=0.1)
    assert figures["in_flight"] == figures["streams"] == 100
    assert figures["ok"] == figures["requests"] == 500
    assert figures["limit_per_second"] == 1000
    assert 0 < figures["ratio_to_limit"] < 1.001, "nothing is faster than the round trip"


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("contender", ["batch", "instance", "batch_fcm", "instance_fcm"])
def test_many_requests_leave_no_growth_in_memory(contender: str) -> None:
    ours, theirs = engine.cores()
    with engine.opposite(theirs, streams=1000) as place:
        job = Job(
            contender=contender,
            place=place,
            requests=200_000,
            warmup=5_000,
            streams=1000,
            core=ours,
        )
        found = engine.perform(job)
    assert found.ok == found.requests == 200_000
    assert found.growth_mib is not None
    assert found.growth_mib < 2.0, "13 bytes a request would be more"


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SystemExit, match="--delay is for the simulator"):
        bench.engine(target="localhost:1", delay=0.1)
    with pytest.raises(SystemExit, match="--cafile and --key-file"):
        bench.engine(target="localhost:1")


def test_a_contender_that_fails_is_not_passed_over() -> None:
    job = Job(contender="nobody", place=PLACE, requests=1, warmup=1, streams=1)
    with pytest.raises(subprocess.CalledProcessError):
        engine.perform(job)
