#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""/metrics of vmd-meter: what it says, and what it bears."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from decimal import Decimal
from pathlib import Path
from typing import Iterator

from lib import openmetrics, tap
from lib.daemon import Vmd, program
from lib.tap import wait_until
from lib.varlink import Connection

CONNECTIONS_MAX = 32


@contextlib.contextmanager
def metered(**settings: object) -> Iterator[tuple[Vmd, str]]:
    """A vmd with its meter, and the path of the socket of the metrics."""
    with Vmd(meter=True, metering={"anchor": "", **settings}) as vmd:
        yield vmd, str(vmd.dir / "run" / "metrics.sock")


def talk(path: str, words: bytes, seconds: float = 60) -> bytes:
    """Everything that comes back for these bytes, until the other side ends."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(path)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(words)
        heard = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                heard += part
        return heard


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def test_the_reader_of_this_test_sees_what_is_wrong() -> None:
    assert not list(openmetrics.find_unseen())


def test_the_page_is_openmetrics_and_says_how_far_the_ledger_was_read() -> None:
    with metered() as (vmd, path):
        vmd.import_template()
        vmd.create(name="web")
        head = vmd.call("Ledger.GetHead")["seq"]
        assert head > 0

        def has_read() -> bool:
            return openmetrics.value(openmetrics.scrape(path), "vmctl_metering_ledger_seq") >= head

        wait_until(has_read, "the ledger to be read")
        families = openmetrics.scrape(path)
        assert openmetrics.value(families, "vmctl_metering_connected") == 1
        known = openmetrics.value(families, "vmctl_metering_known_timestamp_seconds")
        assert abs(float(known) - time.time()) < 120, known
        assert openmetrics.value(families, "vmctl_metering_build_info", version="0.1.0") == 1


def wait_for_rows(vmd: Vmd, path: str) -> dict[str, openmetrics.Family]:
    """The page, once it tells of all that the ledger has now."""
    head = vmd.call("Ledger.GetHead")["seq"]
    wait_until(lambda: openmetrics.value(openmetrics.scrape(path), "vmctl_metering_ledger_seq") >= head, "the rows")
    return openmetrics.scrape(path)


def counters(families: dict[str, openmetrics.Family]) -> dict[tuple[str, openmetrics.Labels], Decimal]:
    return {
        sample: value
        for family in families.values()
        if family.about["TYPE"] == "counter"
        for sample, value in family.samples.items()
    }


def test_the_page_tells_what_an_instance_is_and_what_it_held() -> None:
    with metered() as (vmd, path):
        vmd.import_template()
        web = vmd.create(name="web", vcpus=2, labels={"a": "b"})
        vmd.do("Instance.Pause", instance="web")
        vmd.do("Instance.Stop", instance="web")
        families = wait_for_rows(vmd, path)
        assert openmetrics.value(
            families, "vmctl_instance_info", tenant="default", instance_id=web["id"], name="web", host="local"
        )
        assert openmetrics.value(families, "vmctl_instance_up", instance_id=web["id"]) == 0
        held = {"running": Decimal(0), "paused": Decimal(0), "stopped": Decimal(0)}
        for segment in vmd.segments(web["id"]):
            if segment.get("to_ms") is not None:
                held[segment["state"]] += Decimal(segment["to_ms"] - segment["from_ms"]) / 1000
        assert held["running"] > 0 and held["paused"] > 0, held
        on = held["running"] + held["paused"]
        memory = web["memory_bytes"]
        for name, wanted in {
            "running_seconds": held["running"],
            "vcpu_allocated_seconds": on * 2,
            "memory_allocated_byte_seconds": on * memory,
        }.items():
            told = openmetrics.value(families, f"vmctl_instance_{name}_total", instance_id=web["id"])
            assert told == wanted, (name, told, wanted)
        for name in ("disk_allocated_byte_seconds", "address_allocated_seconds"):
            assert openmetrics.value(families, f"vmctl_instance_{name}_total", instance_id=web["id"]) > 0


def test_the_page_tells_of_hosts_and_of_quotas() -> None:
    with metered() as (vmd, path):
        vmd.import_template()
        vmd.create(name="web", vcpus=2)

        def told(sample: str, **labels: str) -> Decimal | None:
            held = openmetrics.values(openmetrics.scrape(path), sample)
            return next((value for key, value in held.items() if set(labels.items()) <= set(key)), None)

        # It asks four times a minute.
        wait_until(lambda: told("vmctl_tenant_quota_used", tenant="default", resource="vcpus") == 2, "the use")
        limit = vmd.call("Tenant.Get", tenant="default")["tenant"]["quota"]["limit"]
        assert told("vmctl_tenant_quota_limit", tenant="default", resource="vcpus") == limit["vcpus"]
        assert told("vmctl_host_up", host="local") == 1
        vmd.process.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: told("vmctl_host_up", host="local") is None, "vmd to be missed")
        finally:
            vmd.process.send_signal(signal.SIGCONT)
        wait_until(lambda: told("vmctl_host_up", host="local") == 1, "vmd to answer again")


def test_no_counter_falls_whatever_starts_again() -> None:
    with metered(tick_seconds=1) as (vmd, path):
        vmd.import_template()
        web = vmd.create(name="web")
        before = counters(wait_for_rows(vmd, path))

        def look() -> None:
            nonlocal before
            now = counters(wait_for_rows(vmd, path))
            assert set(before) <= set(now), set(before) - set(now)
            fallen = {sample: (before[sample], now[sample]) for sample in before if now[sample] < before[sample]}
            assert not fallen, fallen
            before = now

        def has_burnt() -> bool:
            vmd.do("Instance.Restart", instance="web")
            page = wait_for_rows(vmd, path)
            return any(value > 0 for value in openmetrics.values(page, "vmctl_instance_cpu_seconds_total").values())

        wait_until(has_burnt, "processor time to be booked")
        look()
        for _ in range(2):
            vmd.do("Instance.Stop", instance="web")
            look()
            vmd.do("Instance.Start", instance="web")
            os.kill(vmd.children("vmd-meter")[0], signal.SIGKILL)
            wait_until(vmd.meter_answers, "vmd-meter to answer")
            wait_until(lambda: "vmctl_instance_up{" in openmetrics.request(path).text, "usage to be told again")
            look()
        vmd.kill()
        vmd.start()
        wait_until(lambda: "vmctl_instance_up{" in openmetrics.request(path).text, "usage to be told again")
        look()
        vmd.do("Instance.Destroy", instance="web")
        look()
        assert openmetrics.value(wait_for_rows(vmd, path), "vmctl_instance_up", instance_id=web["id"]) == 0


def test_a_client_that_wants_the_older_format_gets_it() -> None:
    with metered() as (_, path):
        answer = openmetrics.request(path, Accept="text/plain")
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "# TYPE vmctl_metering_build_info gauge\n" in answer.text
        assert "# EOF" not in answer.text and "# UNIT" not in answer.text


def test_only_its_own_user_may_open_the_socket() -> None:
    with metered() as (_, path):
        assert os.stat(path).st_mode & 0o777 == 0o600


def test_the_head_of_the_page_has_no_body() -> None:
    with metered() as (_, path):
        answer = talk(path, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status_of(answer) == 200 and answer.endswith(b"\r\n\r\n")


def test_what_is_not_asked_for_is_not_served() -> None:
    with metered() as (_, path):
        for url in ("/", "/metric", "/metrics/", "//metrics", "/metrics%00", "/../metrics", "*"):
            assert openmetrics.request(path, url=url).status == 404, url
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"):
            answer = openmetrics.request(path, method)
            assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD"), (method, answer)
        assert openmetrics.request(path, url="/metrics?name=x").status == 200


def test_a_request_that_is_too_long_or_none_is_refused_and_costs_nothing() -> None:
    with metered() as (_, path):
        long = b"x" * 100000
        hostile = {
            b"GET /" + long + b" HTTP/1.1\r\nHost: x\r\n\r\n": (414, 431, 0),
            b"GET /metrics HTTP/1.1\r\nHost: x\r\nA: " + long + b"\r\n\r\n": (431, 0),
            b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20000 + b"\r\n": (431, 0),
            b"\0" * 70000: (400, 414, 431, 0),
            b"GET\r\n\r\n": (400, 0),
            b"GET /metrics HTTP/1.1\r\n\r\n": (400,),
            b"GET /metrics HTTP/9.9\r\nHost: x\r\n\r\n": (505, 400, 0),
            b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + long: (405, 0),
            b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n": (400, 405, 0),
            b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n": (405, 400, 0),
        }
        for words, expected in hostile.items():
            answer = talk(path, words)
            assert status_of(answer) in expected, (words[:60], answer[:200])
        openmetrics.scrape(path)


def test_one_connection_is_one_request() -> None:
    with metered() as (_, path):
        answer = talk(path, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        assert answer.count(b"HTTP/1.1 200") == 1
        assert b"connection: close" in answer.lower()


def test_clients_that_say_nothing_make_room_in_time() -> None:
    with metered() as (_, path), contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS_MAX * 2):
            silent = stack.enter_context(socket.socket(socket.AF_UNIX))
            silent.settimeout(60)
            silent.connect(path)
        openmetrics.scrape(path)


def test_a_client_that_drips_is_cut_off() -> None:
    with metered() as (_, path), socket.socket(socket.AF_UNIX) as slow:
        slow.connect(path)
        slow.settimeout(1)
        begun = time.monotonic()
        slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - begun < 120:
                slow.sendall(b"A: b\r\n")
                with contextlib.suppress(TimeoutError):
                    if slow.recv(100) == b"":
                        break
        took = time.monotonic() - begun
        assert 25 < took < 90, took


def test_a_port_of_the_loopback_is_served_where_it_is_configured() -> None:
    port = openmetrics.free_port()
    with metered(metrics_port=port):
        for host, status in {
            b"localhost": 200,
            b"127.0.0.1:%d" % port: 200,
            b"LOCALHOST:1": 200,
            b"metrics.example.com": 421,
            b"localhost.example.com": 421,
        }.items():
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
                heard = b""
                while part := connection.recv(65536):
                    heard += part
            assert status_of(heard) == status, (host, heard[:200])


def listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def test_a_socket_that_the_manager_calls_metrics_is_for_those() -> None:
    script = 'export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=metrics:calls; exec "$@" 3<&"$METRICS" 4<&"$CALLS"'
    with Vmd() as vmd, listen(vmd.dir / "metrics") as metrics, listen(vmd.dir / "calls") as calls:
        fds = {"METRICS": str(metrics.fileno()), "CALLS": str(calls.fileno())}
        arguments = ["--controller", vmd.socket, "--state", str(vmd.dir / "meter")]
        meter = subprocess.Popen(
            ["bash", "-c", script, "bash", program("VMD_METER"), *arguments],
            pass_fds=[metrics.fileno(), calls.fileno()],
            env={**os.environ, **fds},
        )
        try:
            openmetrics.scrape(str(vmd.dir / "metrics"))
            with Connection(str(vmd.dir / "calls")) as connection:
                assert connection.call("io.vmctl.GetInfo")["program"] == "vmd-meter"
        finally:
            meter.terminate()
            assert meter.wait(60) == 0


if __name__ == "__main__":
    tap.main(globals())
