# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs one change of a vmd over a fake host again and again, each time with a fault at another point of it.

vmd has to be built with -Dfailpoints=true.  After each run the same client asks again with the same request id, vmd comes
to rest, and the oracle looks: the change has happened once, or not at all.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

from lib import oracle, tap  # noqa: E402, F401
from lib.daemon import GIB, MIB, Vmd  # noqa: E402
from lib.tap import wait_until  # noqa: E402
from lib.varlink import VarlinkError  # noqa: E402


@dataclass(frozen=True)
class Scenario:
    """One change, on a vmd with a running, a stopped and a paused instance, a template that nobody uses, and a group of nobody."""

    name: str
    method: str
    parameters: dict[str, Any]
    # What becomes of it when nothing but kills happen.
    ends: str = "succeeded"
    # The fake host's rules.
    rules: list[dict[str, Any]] = field(default_factory=list)


SCENARIOS = [
    Scenario("create", "Instance.Create", {"name": "new", "user_data": "#!/bin/sh\n"}),
    Scenario("create-undone", "Instance.Create", {"name": "new"}, "failed", [{"method": "Start", "error": "HostFailed"}]),
    Scenario("start", "Instance.Start", {"instance": "off"}),
    Scenario("stop", "Instance.Stop", {"instance": "on"}),
    Scenario("stop-force", "Instance.Stop", {"instance": "on", "force": True}),
    Scenario("restart", "Instance.Restart", {"instance": "on"}),
    Scenario("pause", "Instance.Pause", {"instance": "on"}),
    Scenario("resume", "Instance.Resume", {"instance": "held"}),
    Scenario("resize", "Instance.Resize", {"instance": "on", "vcpus": 2, "memory_bytes": 512 * MIB, "disk_bytes": 2 * GIB}),
    Scenario("resize-off", "Instance.Resize", {"instance": "off", "vcpus": 2, "disk_bytes": 2 * GIB}),
    Scenario("destroy", "Instance.Destroy", {"instance": "on"}),
    Scenario("destroy-off", "Instance.Destroy", {"instance": "off"}),
    Scenario("import", "Template.Import", {"source": "other"}),
    Scenario("remove", "Template.Remove", {"template": "spare"}),
    Scenario("group-create", "Group.Create", {"group": "new", "max": 2, "count": 1}),
    Scenario("group-scale", "Group.Scale", {"group": "few", "count": 1}),
    Scenario("group-update", "Group.Update", {"group": "few", "template": "spare"}),
    Scenario("group-remove", "Group.Remove", {"group": "few"}),
]


# How vmd may end under a fault: killed; by its own word because it could not start (1), could not read its database (65) or its
# configuration (78), or because its store failed (74); because there was no memory (GLib aborts), or because it could not be
# loaded (127).
ENDS = (-signal.SIGKILL, 1, 65, 74, 78, -signal.SIGABRT, -signal.SIGTRAP, 127)
# How long a change that a fault holds up for good is waited for.
LASTING_FAULT_S = 8


class Bench:
    """A vmd whose state is put back to the same beginning before each run."""

    def __init__(self) -> None:
        self.vmd = Vmd()
        self.kept = self.vmd.dir / "kept"
        self.trace = self.vmd.dir / "trace"
        self.ends: tuple[int, ...] = ENDS

    def __enter__(self) -> Bench:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.vmd)
            self.prepare()
            stack.pop_all()
        return self

    def __exit__(self, *details: Any) -> None:
        self.vmd.__exit__(*details)

    def prepare(self) -> None:
        vmd = self.vmd
        vmd.import_template()
        vmd.import_template("spare")
        for name in ("on", "off", "held"):
            vmd.create(name=name)
        vmd.do("Instance.Stop", instance="off")
        vmd.do("Instance.Pause", instance="held")
        vmd.do("Group.Create", group="few", max=3, count=0)
        assert vmd.kill(signal.SIGTERM) == 0
        shutil.copytree(vmd.dir / "state", self.kept / "state")
        shutil.copy(vmd.journal, self.kept / "domains")

    def restore(self, scenario: Scenario) -> None:
        if self.vmd.process is not None:
            # The run before failed.
            self.vmd.kill()
        shutil.rmtree(self.vmd.dir / "state")
        shutil.copytree(self.kept / "state", self.vmd.dir / "state")
        shutil.copy(self.kept / "domains", self.vmd.journal)
        self.vmd.write_script({"rules": scenario.rules})
        self.trace.unlink(missing_ok=True)

    def start(self, rules: str = "", under: tuple[str, ...] = ()) -> bool:
        """False if it met its end while it started."""
        environment = {"VMCTL_FAILPOINTS": rules, "VMCTL_FAILPOINTS_TRACE": str(self.trace)}
        try:
            self.vmd.start(wait_for_host=under == (), environment=environment, under=under)
        except (AssertionError, EOFError, OSError):
            if rules == "" and under == ():
                raise
            return not self.has_ended()
        return under == () or self.reaches_host()

    def reaches_host(self) -> bool:
        """Whether vmd comes to its host under a fault; if not, it is ended."""
        while True:
            try:
                self.vmd.wait_for_host(LASTING_FAULT_S)
                return True
            except AssertionError:
                self.vmd.kill()
                return False
            except (EOFError, OSError):
                if self.has_ended():
                    return False

    def has_ended(self) -> bool:
        """It did not answer: whether a fault has ended it, or only the connection."""
        assert self.vmd.process is not None
        try:
            status = self.vmd.process.wait(2)
        except subprocess.TimeoutExpired:
            return False
        assert status in self.ends, f"vmd ended with {status}"
        self.vmd.process = None
        return True

    def ask(self, scenario: Scenario, patience_ms: int = 90000) -> dict[str, Any] | None:
        """The operation as it ended; None if vmd died meanwhile."""
        while True:
            try:
                reply = self.vmd.call(scenario.method, request_id="the-one", **scenario.parameters)
                accepted = reply["instances"][0] if "instances" in reply else reply
                return self.vmd.wait(accepted["operation"], patience_ms)
            except (EOFError, OSError):
                if self.has_ended():
                    return None

    def try_to_ask(self, scenario: Scenario) -> bool:
        """Asks under a fault, which may let it wait for good: then it is killed.  Whether it ended."""
        try:
            return self.ask(scenario, LASTING_FAULT_S * 1000) is None
        except VarlinkError as error:
            assert error.name in ("io.vmctl.Deadline", "io.vmctl.DiskFull"), error
            self.vmd.kill()
            return True

    def finish(self, scenario: Scenario) -> dict[str, Any]:
        """Asks until there is an end, over as many deaths as there are rules, and checks what it came to."""
        operation = None
        while operation is None:
            if self.vmd.process is None:
                assert self.start()
            operation = self.ask(scenario)
        wait_until(lambda: not self.is_busy(), "all operations to end")
        return operation

    def is_busy(self) -> bool:
        states = ("queued", "running")
        return any(self.vmd.call("Operation.List", state=state)["operations"] for state in states)

    def stop(self) -> None:
        assert self.vmd.kill(signal.SIGTERM) == 0

    def stop_armed(self) -> bool:
        """Whether it met its end after it had answered, at the latest while it ended."""
        status = self.vmd.kill(signal.SIGTERM)
        assert status in (0, *self.ends), f"vmd ended with {status}"
        return status != 0

    # Runs

    def find_points(self, scenario: Scenario) -> list[str]:
        """Every place that the change passes, as often as it passes it: NAME@N."""
        self.restore(scenario)
        assert self.start()
        operation = self.ask(scenario)
        assert operation is not None and operation["state"] == scenario.ends, operation
        self.stop()
        seen: Counter[str] = Counter()
        points = []
        for name in self.trace.read_text().splitlines():
            seen[name] += 1
            points.append((name, seen[name]))
        return [f"{name}=%s@{nth}" for name, nth in points]

    def run_kills(self, scenario: Scenario, *points: str) -> int:
        """Kills at each of these points in turn, the later ones while it recovers; how many kills there were."""
        self.restore(scenario)
        kills = 0
        for point in points:
            kills += not self.start(point % "kill") or self.ask(scenario) is None or self.stop_armed()
        operation = self.finish(scenario)
        assert operation["state"] == scenario.ends, operation
        oracle.check_at_rest(self.vmd)
        self.check_once(scenario, operation)
        self.stop()
        return kills

    def run_under(self, scenario: Scenario, *under: str) -> tuple[bool, str]:
        """Runs it under a program that makes system calls kill or fail; whether it ended, and the operation's state."""
        self.restore(scenario)
        ended = not self.start(under=under) or self.try_to_ask(scenario) or self.stop_armed()
        operation = self.finish(scenario)
        self.clean_up()
        oracle.check_at_rest(self.vmd)
        self.check_once(scenario, operation)
        self.stop()
        return ended, operation["state"]

    def check_once(self, scenario: Scenario, operation: dict[str, Any]) -> None:
        """What was asked for under one request id happened once."""
        same = [row for row in self.vmd.call("Operation.List")["operations"] if row.get("request_id") == "the-one"]
        assert [row["id"] for row in same] == [operation["id"]], same
        ended = [
            event["subject"] for event in self.vmd.events()
            if event["kind"] == "operation_ended" and event["subject"] == operation["id"]
        ]  # fmt: skip
        assert len(ended) == 1, ended

    def run_error(self, scenario: Scenario, point: str) -> str:
        """Lets the step fail; the state of the operation.  Whatever was left is destroyed, and nothing is left."""
        self.restore(scenario)
        assert self.start(point % "error")
        operation = self.finish(scenario)
        self.clean_up()
        oracle.check_at_rest(self.vmd)
        self.stop()
        return operation["state"]

    def clean_up(self) -> None:
        """Destroys what the fault broke."""
        wait_until(self.is_true, "what is shown to be what is")
        for row in self.vmd.list_all():
            if row["state"] == "error":
                self.vmd.do("Instance.Destroy", instance=row["id"])
        for row in self.vmd.call("Template.List")["templates"]:
            if row["state"] == "broken":
                self.vmd.do("Template.Remove", template=row["id"])

    def is_true(self) -> bool:
        held = self.vmd.domains()
        rows = {row["id"]: row["state"] for row in self.vmd.list_all()}
        return all(state in ("error", held.get(key)) for key, state in rows.items())


@contextlib.contextmanager
def told(scenario: Scenario, *points: str) -> Iterator[None]:
    """Names what was run when a check of it fails."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{scenario.name}, {' then '.join(points)}: {error}") from error
