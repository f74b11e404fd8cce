#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""vmctl as people and scripts meet it: over a fake host, and against services that misbehave."""

import csv
import io
import json
import os
import signal
import subprocess
from typing import Any

from lib import cli, tap
from lib.daemon import Vmd, program
from lib.tap import wait_until
from lib.varlink import Connection

shared = Vmd(meter=True, quota={"instances": 700, "vcpus": 4000})
HOSTILE = ["\x1b[2J\x1b]52;c;AAAA\x07", "\u009b31m", "a\r\nb\b\b", "\u202egnp.exe", "\u2066x\u2069", "\x7f"]


def vmctl(*words: str, status: int = 0) -> str:
    return cli.run(shared.socket, *words, status=status).stdout


def vmctl_json(*words: str) -> Any:
    return json.loads(vmctl(*words, "-o", "json"))


def destroy_all() -> None:
    names = vmctl("list", "-o", "name").split()
    if names:
        vmctl("destroy", "--yes", *names)


def complain(*words: str, status: int) -> str:
    done = cli.run(shared.socket, *words, status=status)
    assert done.stdout == "", done.stdout
    return done.stderr


# What is printed


def test_create_waits_and_tells_what_it_made() -> None:
    shown = dict(line.split(None, 1) for line in vmctl("create", "web", "--cpus", "2", "--mem", "1G").splitlines())
    instance = shared.get("web")
    assert shown["NAME"] == "web" and shown["ID"] == instance["id"] and shown["READY"] == "yes"
    assert shown["ADDRESS"] == instance["addresses"][0]
    assert all(phase in shown["PHASES"] for phase in ("disk ", "seed ", "define ", "start ", "guest "))
    assert instance["vcpus"] == 2 and instance["memory_bytes"] == 1 << 30
    destroy_all()


def test_create_without_a_name_makes_one_up() -> None:
    reply = vmctl_json("create")
    assert len(reply["instances"]) == len(reply["operations"]) == 1
    assert reply["instances"][0]["ready"] and reply["operations"][0]["state"] == "succeeded"
    destroy_all()


def test_json_of_a_list_is_the_reply_with_all_pages() -> None:
    vmctl("create", "many", "--count", "500", "--wait", "running")
    vmctl("create", "more", "--count", "2", "--wait", "running")
    rows = vmctl_json("list")["instances"]
    assert [row["name"] for row in rows] == [row["name"] for row in shared.list_all()] and len(rows) == 502
    assert rows[0].keys() == shared.get(rows[0]["id"]).keys()
    assert vmctl("ls", "-o", "name").split() == [row["name"] for row in rows]
    assert vmctl("list", "-q").split() == [row["id"] for row in rows]
    assert len(vmctl("list").splitlines()) == 503
    destroy_all()
    assert vmctl_json("list") == {"instances": []}


def test_csv_can_be_read_back() -> None:
    vmctl("create", "web", "--label", 'note=a,"b"', "--wait", "running")
    row = next(csv.DictReader(io.StringIO(vmctl("list", "-o", "csv"), newline="")))
    assert row["name"] == "web" and row["memory_bytes"] == str(256 << 20) and row["labels"] == 'note=a,"b"'
    destroy_all()


def test_every_verb_says_what_came_of_it() -> None:
    vmctl("create", "web", "--wait", "running", "-q")
    assert vmctl("stop", "web").startswith("web: stopped (")
    assert vmctl("start", "web", "--wait", "ready").startswith("web: ready (")
    assert vmctl("pause", "web").startswith("web: paused (")
    assert vmctl("resume", "web").startswith("web: running (")
    assert vmctl("restart", "web", "--force").startswith("web: running (")
    resized = vmctl("resize", "web", "--cpus", "3", "--mem", "512M")
    assert "vcpus   changed live; the guest sees 3" in resized and "memory  changed live" in resized
    assert vmctl_json("pause", "web")["operations"][0]["kind"] == "instance_pause"
    assert vmctl("wait", "web", "--for", "running", "--timeout", "50ms", status=6) == ""
    assert "PAUSED" not in vmctl("show", "web") and "paused" in vmctl("show", "web")
    assert vmctl("destroy", "web", "--yes").startswith("web: destroyed (")
    assert vmctl("wait", "web", "--for", "destroyed").startswith("web: destroyed (")


def test_several_names_are_done_side_by_side() -> None:
    vmctl("create", "w", "--count", "3", "--wait", "running")
    stopped = vmctl("stop", "w-1", "w-2", "w-3")
    assert [line.split(":")[0] for line in stopped.splitlines()] == ["w-1", "w-2", "w-3"]
    done = cli.run(shared.socket, "start", "w-1", "nope", "w-2", status=3)
    assert done.stdout.startswith("w-1: running") and "nope" in done.stderr
    destroy_all()


def test_no_wait_gives_the_operation_to_wait_for() -> None:
    operation = vmctl("create", "web", "--wait", "none", "-q").strip()
    assert vmctl_json("operation", "wait", operation)["operation"]["state"] == "succeeded"
    assert operation in vmctl("op", "list", "-q").split()
    assert vmctl_json("op", "show", operation)["operation"]["target_name"] == "web"
    destroy_all()


def test_a_dry_run_makes_nothing() -> None:
    shown = vmctl("create", "web", "--dry-run", "--cpus", "2")
    assert "HOST" in shown and "QUOTA" in shown
    assert vmctl_json("create", "--dry-run")["plan"]["host"] == "local"
    assert "quota" in vmctl("create", "--dry-run", "--count", "500", "--cpus", "256", status=1).lower()
    assert vmctl_json("list") == {"instances": []}


def test_usage_has_lines_and_totals() -> None:
    vmctl("create", "metered", "--wait", "running")
    wait_until(lambda: vmctl_json("usage")["lines"], "the meter to have read the ledger")
    lines = vmctl("usage").splitlines()
    assert lines[0].startswith("TENANT") and any(line.startswith("TENANT   INSTANCES") for line in lines)
    rows = list(csv.DictReader(io.StringIO(vmctl("usage", "-o", "csv"), newline="")))
    assert "metered" in {row["name"] for row in rows}
    assert vmctl_json("usage", "--from", "2020-01", "--to", "2020-02")["lines"] == []
    destroy_all()


def test_log_is_what_the_guest_wrote() -> None:
    vmctl("create", "web", "--wait", "running")
    assert "Welcome" in vmctl("log", "web")
    assert "Welcome" in cli.run_on_terminal(shared.socket, "log", "web")[1]
    destroy_all()


def test_version_tells_both() -> None:
    programs = vmctl_json("version")["programs"]
    assert [row["program"] for row in programs] == ["vmctl", "vmd"]
    assert vmctl("--version").split() == ["vmctl", programs[0]["version"]]


def test_doctor_tells_what_is_wrong() -> None:
    checks = {row["name"]: row for row in vmctl_json_of_any_status("doctor")["checks"]}
    assert checks["vmd"]["result"] == checks["vmd-meter"]["result"] == checks["host"]["result"] == "ok"
    lonely = cli.run("/nonexistent/vmd.sock", "doctor", status=1)
    assert "fail  vmd " in lonely.stdout and "mend:" in lonely.stdout


def vmctl_json_of_any_status(*words: str) -> Any:
    done = subprocess.run(
        [program("VMCTL"), *words, "-o", "json"],
        env=cli.environment(shared.socket),
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout)


def test_completion_knows_words_and_names() -> None:
    vmctl("create", "web", "--wait", "running")
    script = (
        f'PATH={os.path.dirname(program("VMCTL"))}:$PATH; eval "$(vmctl completion bash)"; '
        'COMP_WORDS=(vmctl "$@"); COMP_CWORD=$(($#)); _vmctl; echo "${COMPREPLY[*]}"'
    )

    def complete(*words: str) -> list[str]:
        done = subprocess.run(
            ["bash", "-c", script, "bash", *words],
            env=cli.environment(shared.socket),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    assert complete("res") == ["restart", "resume", "resize"]
    assert complete("template", "i") == ["import"]
    assert complete("op", "wa") == ["wait"]
    assert complete("show", "w") == ["web"]
    assert complete("create", "--m") == ["--mem"]
    assert complete("list", "-o", "j") == ["json"]
    assert complete("wait", "web", "--for", "st") == ["stopped"]
    destroy_all()


# How it ends


def test_exit_codes() -> None:
    assert "did you mean `vmctl list`" in complain("lst", status=2)
    assert "write 1G" in complain("create", "--mem", "1GB", status=2)
    assert "that is --disk" in complain("create", "--disk", "2M", status=2)
    assert "vmctl list" in complain("show", "nope", status=3)
    assert "(QuotaExceeded)" in complain("create", "--count", "500", "--cpus", "200", status=4)
    done = cli.run("/nonexistent/vmd.sock", "list", status=5)
    assert "/nonexistent/vmd.sock" in done.stderr and "hint:" in done.stderr and done.stdout == ""
    assert json.loads(cli.run("/nonexistent/vmd.sock", "version", "-o", "json", status=5).stdout)


def test_some_of_a_count_that_fail_are_told() -> None:
    rules = [{"method": "Start", "times": 1, "error": "HostFailed", "message": "no luck"}]
    with Vmd(script={"rules": rules}) as vmd:
        vmd.import_template()
        done = cli.run(vmd.socket, "create", "w", "--count", "3", "--wait", "running", status=1)
        assert "1 of 3 failed" in done.stderr and "no luck" in done.stderr and "(HostFailed)" in done.stderr
        assert len(done.stdout.splitlines()) == 3


def test_destroy_wants_a_word() -> None:
    vmctl("create", "web", "--wait", "running")
    assert "--yes" in complain("destroy", "web", status=2)
    status, shown = cli.run_on_terminal(shared.socket, "destroy", "web", answer=b"n\n")
    assert status == 1 and "nothing was destroyed" in shown and shared.exists("web")
    status, shown = cli.run_on_terminal(shared.socket, "destroy", "web", answer=b"y\n")
    assert status == 0 and "web: destroyed" in shown and not shared.exists("web")


def test_a_request_id_makes_a_repeat_harmless() -> None:
    first = vmctl_json("create", "web", "--request-id", "mine")
    again = vmctl_json("create", "web", "--request-id", "mine")
    assert first["instances"][0]["id"] == again["instances"][0]["id"]
    assert "(RequestMismatch)" in complain("create", "other", "--request-id", "mine", status=1)
    assert vmctl("list", "-o", "name").split() == ["web"]
    destroy_all()


def test_an_interrupt_ends_the_waiting_only() -> None:
    with Vmd(script={"agent_ms": 60000}) as vmd:
        vmd.import_template()
        for words in (("create", "web"), ("wait", "web")):
            process = cli.start(vmd.socket, *words)
            wait_until(lambda: is_catching(process.pid), "vmctl to wait")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
            assert process.returncode == 130, process.returncode
            assert "interrupted" in errors and "goes on" in errors, errors
        wait_until(lambda: vmd.get("web")["state"] == "running", "the instance to run")


def is_catching(pid: int) -> bool:
    """Whether the process has blocked SIGINT, to take it while it waits."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        blocked = next(line.split()[1] for line in file if line.startswith("SigBlk"))
    return bool(int(blocked, 16) & 1 << (signal.SIGINT - 1))


def test_progress_is_one_line_that_goes_away() -> None:
    with Vmd(script={"agent_ms": 1200}) as vmd:
        vmd.import_template()
        status, shown = cli.run_on_terminal(vmd.socket, "create", "web")
        assert status == 0 and "web: waiting for the guest" in shown, shown
        before, _, result = shown.rpartition("\r\x1b[K")
        assert "\n" not in before and result.startswith("NAME"), shown


# A service that goes away


def test_a_lost_reply_makes_one_instance() -> None:
    cut: list[str] = []

    def answer(call: dict[str, Any]) -> str | None:
        with Connection(shared.socket) as connection:
            connection.send(call["method"], call.get("parameters"))
            reply = connection.receive_raw()
        if call["method"].endswith("Create") and not cut:
            cut.append(call["parameters"]["request_id"])
            return None
        return json.dumps(reply)

    with cli.Stand(answer) as stand:
        cli.run(stand.path, "create", "web")
        ids = [call["parameters"]["request_id"] for call in stand.calls if call["method"].endswith("Create")]
    assert ids == [cut[0], cut[0]]
    assert vmctl("list", "-o", "name").split() == ["web"]
    destroy_all()


def test_a_killed_daemon_is_waited_for() -> None:
    with Vmd(script={"rules": [{"method": "Define", "delay_ms": 700}]}) as vmd:
        vmd.import_template()
        process = cli.start(vmd.socket, "create", "web")
        wait_until(lambda: vmd.exists("web"), "the instance to be made")
        vmd.kill()
        vmd.start()
        shown, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert "READY     yes" in shown


def test_events_go_on_after_a_restart_without_a_hole() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        process = cli.start(vmd.socket, "events", "--follow", "--after", "0", "-o", "json")
        assert process.stdout is not None
        seen: list[int] = []

        def read_until(last: int) -> None:
            while not seen or seen[-1] < last:
                seen.extend(event["seq"] for event in json.loads(process.stdout.readline())["events"])

        read_until(vmd.call("GetInfo")["seq"])
        vmd.kill()
        vmd.start()
        vmd.create(name="web")
        read_until(vmd.call("GetInfo")["seq"])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert seen == [event["seq"] for event in vmd.events()][: len(seen)]


def test_watch_prints_a_line_for_each_change_of_what_is_named() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        vmd.create(name="other")
        process = cli.start(vmd.socket, "watch", "web", "--after", "0")
        assert process.stdout is not None
        vmd.create(name="web")
        lines = []
        while not lines or lines[-1].get("state") != "running":
            lines.append(json.loads(process.stdout.readline()))
        vmd.kill()
        vmd.start()
        vmd.do("Instance.Destroy", instance="web")
        while lines[-1].get("state") != "destroyed":
            lines.append(json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        wanted = [event for event in vmd.events() if event.get("name") == "web"]
        assert lines == wanted[: len(lines)], (lines, wanted)


# A service that lies


def hostile_reply(call: dict[str, Any]) -> str:
    rows = [{"id": text, "name": text, "state": text, "reason": text, "addresses": [text]} for text in HOSTILE]
    rows[0]["labels"] = {text: text for text in HOSTILE}
    return json.dumps({"parameters": {"instances": rows}})


def is_harmless(text: str) -> bool:
    return not any(
        ord(letter) < 0x20 and letter != "\n" or 0x7F <= ord(letter) <= 0x9F or letter in "\u202e\u2066\u2069"
        for letter in text
    )


def test_hostile_text_does_not_reach_the_terminal() -> None:
    with cli.Stand(hostile_reply) as stand:
        for kind in ("table", "wide", "json", "name"):
            shown = cli.run_on_terminal(stand.path, "list", "-o", kind)[1].replace("\r\n", "\n")
            assert is_harmless(shown), repr(shown)
        rows = json.loads(cli.run(stand.path, "list", "-o", "json").stdout)["instances"]
        assert [row["name"] for row in rows] == HOSTILE


def test_a_hostile_error_does_not_reach_the_terminal() -> None:
    error = {"message": HOSTILE[0], "kind": "instance", "name": HOSTILE[1]}
    with cli.Stand(lambda _: json.dumps({"error": "io.vmctl.NotFound", "parameters": error})) as stand:
        status, shown = cli.run_on_terminal(stand.path, "show", "x")
        assert status == 3 and is_harmless(shown.replace("\r\n", "\n")), repr(shown)


def test_answers_that_make_no_sense_are_failures() -> None:
    for reply in ("", "{}", "[]", "null", '{"parameters":5}', '{"parameters":{"instance":5}}', "{" * 50, "\udcff"):
        with cli.Stand(lambda _, text=reply: text) as stand:
            for words in (("list",), ("show", "x"), ("create",), ("wait", "x"), ("usage",), ("stop", "x")):
                done = subprocess.run(
                    [program("VMCTL"), *words],
                    env=cli.environment(stand.path),
                    capture_output=True,
                    timeout=60,
                    check=False,
                )
                assert 0 <= done.returncode <= 6, (reply, words, done)


def test_a_page_that_never_ends_is_a_failure() -> None:
    page = json.dumps({"parameters": {"instances": [], "next": "here"}})
    with cli.Stand(lambda _: page) as stand:
        for kind in ("table", "json"):
            assert "for ever" in cli.run(stand.path, "list", "-o", kind, status=1).stderr
        assert len(stand.calls) == 4


with shared:
    shared.import_template()
    tap.main(globals())
