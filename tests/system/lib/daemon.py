# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts a vmd in a folder of its own, and ends it with all that it started."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import ledger
from .tap import wait_until
from .varlink import Connection, VarlinkError

MIB = 1024 * 1024
GIB = 1024 * MIB


def program(variable: str) -> str:
    """The path of a built program, from the environment."""
    path = os.environ.get(variable)
    assert path and os.access(path, os.X_OK), f"{variable} names no program: {path!r}"
    return path


class Vmd:
    """A vmd over a fake host, or over the libvirt of the environment."""

    def __init__(
        self,
        *,
        fake: bool = True,
        script: dict[str, Any] | None = None,
        meter: bool = False,
        keep_domains: bool = True,
        import_dir: str = "",
        hosts: dict[str, dict[str, Any]] | None = None,
        environment: dict[str, str] | None = None,
        **settings: dict[str, Any],
    ) -> None:
        base = os.environ.get("PRIVATE_LIBVIRT_DIR") if not fake else None
        self.dir = Path(tempfile.mkdtemp(prefix="vmctl-test.", dir=base))
        # A tenant of another uid has to reach the socket.
        self.dir.chmod(0o755)
        self.script = self.dir / "script.json"
        self.journal = self.dir / "domains.jsonl"
        self.log = self.dir / "vmd.log"
        self.environment = environment or {}
        self.fake = fake
        self.process: subprocess.Popen[bytes] | None = None
        self.has_meter = meter
        self.write_script(script or {})
        arguments = f"--script {self.script}" + (f" --domains-file {self.journal}" if keep_domains else "")
        groups: dict[str, dict[str, Any]] = {
            "daemon": {
                "state_dir": self.dir / "state",
                "run_dir": self.dir / "run",
                "meter": program("VMD_METER") if meter else "",
            },
            # What is put back to an older copy here is so on purpose.
            "metering": {"anchor": ""},
            "host": {
                "worker": program("VMD_FAKEHOST" if fake else "VMD_HOST"),
                "worker_arguments": arguments if fake else "",
                "pool_path": "/var/lib/libvirt/vmd-pool",
                "import_dir": import_dir or self.dir / "import",
                "runs_dir": f"{base}/runs" if base else "",
            },
        }
        self.host_names = list(hosts or {})
        for name, values in (hosts or {}).items():
            self.write_script({}, name)
            groups[f"host {name}"] = {
                "uri": f"fake:///{name}",
                "worker_arguments": f"--script {self.script_of(name)} --domains-file {self.journal_of(name)}",
                **values,
            }
        for group, values in settings.items():
            groups.setdefault(group, {}).update(values)
        self.groups = groups
        self.write_config()

    def write_config(self) -> None:
        """Writes self.groups as what vmd reads at its start."""
        (self.dir / "vmd.conf").write_text(
            "".join(
                f"[{group}]\n" + "".join(f"{key}={value}\n" for key, value in values.items())
                for group, values in self.groups.items()
            )
        )

    def script_of(self, host: str) -> Path:
        return self.dir / f"script-{host}.json"

    def journal_of(self, host: str) -> Path:
        return self.dir / f"domains-{host}.jsonl"

    def write_script(self, script: dict[str, Any], host: str | None = None) -> None:
        """What the worker, or that of one of several hosts, reads at its start."""
        path = self.script if host is None else self.script_of(host)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(script))
        new.replace(path)

    def change_script(self, script: dict[str, Any], host: str | None = None) -> None:
        """The worker, or that of one of several hosts, goes by another one from now on."""
        self.write_script(script, host)
        before = self.count_changes()
        os.kill(self.worker_of(host), signal.SIGHUP)
        wait_until(lambda: self.count_changes() > before, "the fake host to have read its script")

    def count_changes(self) -> int:
        return self.log.read_text(errors="replace").count("Goes by another script")

    def worker_of(self, host: str | None = None) -> int:
        """The pid of a host's worker."""
        return wait_until(lambda: self.find_worker(host), "the worker of the host")

    def find_worker(self, host: str | None) -> int | None:
        """None while it is to be started again."""
        script = str(self.script if host is None else self.script_of(host)).encode()
        for pid in self.children("vmd-fakehost"):
            with contextlib.suppress(OSError):
                if script in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                    return pid
        return None

    @property
    def socket(self) -> str:
        return str(self.dir / "run" / "vmd.sock")

    @property
    def meter_socket(self) -> str:
        return str(self.dir / "run" / "meter.sock")

    def start(
        self, wait_for_host: bool = True, environment: dict[str, str] | None = None, under: tuple[str, ...] = ()
    ) -> Vmd:
        """Starts vmd, with more in its environment, or under another program that becomes it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*under, program("VMD"), "--config", str(self.dir / "vmd.conf")],
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment, **(environment or {})},
            )
        wait_until(self.answers, "vmd to answer")
        if wait_for_host:
            self.wait_for_host()
        if self.has_meter:
            wait_until(self.meter_answers, "vmd-meter to answer")
        return self

    def wait_for_host(self, seconds: float = 60) -> None:
        """All of them."""
        wait_until(
            lambda: all(host["state"] == "connected" for host in self.hosts()), "the hosts to be connected", seconds
        )

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"vmd ended: {self.log.read_text(errors='replace')}"
        try:
            with self.connect() as connection:
                connection.call("io.vmctl.Ping")
        except OSError:
            return False
        return True

    def meter_answers(self) -> bool:
        try:
            with Connection(self.meter_socket) as connection:
                connection.call("io.vmctl.Ping")
        except OSError:
            return False
        return True

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Ends vmd by a signal and waits for it."""
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(20)
        self.process = None
        return status

    def rebuild(self) -> subprocess.CompletedProcess[str]:
        """Makes the database again from the domains, with vmd down."""
        command = [program("VMD"), "--config", str(self.dir / "vmd.conf"), "--rebuild"]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def children(self, name: str) -> list[int]:
        """Pids of vmd's children of that name."""
        assert self.process is not None
        listing = subprocess.run(
            ["ps", "-o", "pid=,comm=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        rows = [line.split(None, 1) for line in listing.stdout.splitlines()]
        return [int(pid) for pid, command in rows if command.startswith(name[:15])]

    def __enter__(self) -> Vmd:
        return self.start()

    def __exit__(self, kind: object = None, error: object = None, *_: object) -> None:
        status = 0
        failed = kind is not None and getattr(error, "code", 1) != 0
        if failed and not self.fake:
            self.print_consoles()
        if self.process is not None and self.process.poll() is None:
            status = self.kill(signal.SIGTERM)
        if failed or status != 0:
            for line in self.log.read_text(errors="replace").splitlines()[-40:]:
                print(f"# {line}", file=sys.stdout)
        shutil.rmtree(self.dir, ignore_errors=True)
        # A leak that a sanitizer found is told by the status.
        assert status == 0 or kind is not None, f"vmd ended with {status}"

    def print_consoles(self) -> None:
        """The last words of all guests, as far as they are told."""
        with contextlib.suppress(AssertionError, OSError, VarlinkError):
            for row in self.list_all():
                for line in self.console(row["name"]).splitlines()[-10:]:
                    print(f"# {row['name']}, {row['state']}: {line}")

    # Calls

    def connect(self, timeout: float = 60) -> Connection:
        return Connection(self.socket, timeout)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        with self.connect(120) as connection:
            return connection.call("io.vmctl." + method, **parameters)

    def hosts(self) -> list[dict[str, Any]]:
        return self.call("Host.List")["hosts"]

    def host(self, name: str | None = None) -> dict[str, Any]:
        """The only one, or that of the name."""
        return self.hosts()[0] if name is None else self.call("Host.Get", host=name)["host"]

    def wait(self, operation: str, timeout_ms: int = 90000) -> dict[str, Any]:
        return self.call("Operation.Wait", operation=operation, timeout_ms=timeout_ms)["operation"]

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A change, carried through; returns the ended operation, which has to have succeeded."""
        operation = self.wait(self.call(method, **parameters)["operation"])
        assert operation["state"] == "succeeded", operation
        return operation

    def import_template(self, source: str = "tiny") -> None:
        self.do("Template.Import", source=source)

    def create(self, **parameters: Any) -> dict[str, Any]:
        """One instance, running."""
        accepted = self.call("Instance.Create", **parameters)["instances"][0]
        operation = self.wait(accepted["operation"])
        assert operation["state"] == "succeeded", operation
        return self.get(accepted["instance"])

    def get(self, instance: str) -> dict[str, Any]:
        return self.call("Instance.Get", instance=instance)["instance"]

    def console(self, instance: str, offset: int | None = None) -> str:
        """What the guest wrote to its serial console from there on; by default the last 16 KiB."""
        log = self.call("Instance.Log", instance=instance, offset=offset)
        return base64.b64decode(log["data"]).decode(errors="replace")

    def exists(self, instance: str) -> bool:
        try:
            self.get(instance)
        except VarlinkError as error:
            assert error.name == "io.vmctl.NotFound", error
            return False
        return True

    def list_all(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next": None}
        while "next" in page:
            page = self.call("Instance.List", after=page["next"], limit=500)
            rows += page["instances"]
        return rows

    def ledger(self) -> list[dict[str, Any]]:
        with self.connect() as connection:
            return [row for page in connection.stream("io.vmctl.Ledger.Read", after=0) for row in page["rows"]]

    def segments(self, instance: str | None = None, kind: str = "instance") -> list[dict[str, Any]]:
        """See lib.ledger; instance is an id."""
        return ledger.segments(self.ledger(), instance, kind)

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        with self.connect() as connection:
            return [event for page in connection.stream("io.vmctl.Event.Read", after=after) for event in page["events"]]

    def domains(self, host: str | None = None) -> dict[str, str]:
        """What the fake host, or one of several, or all of them hold: id to state."""
        return {id: state for id, (tenant, state) in self.held(host).items() if tenant != ".template"}

    def templates(self, host: str | None = None) -> set[str]:
        """The ids of the templates there."""
        return {id for id, (tenant, _) in self.held(host).items() if tenant == ".template"}

    def held(self, host: str | None) -> dict[str, tuple[str, str]]:
        if host is None and self.host_names:
            return {id: entry for name in self.host_names for id, entry in self.held(name).items()}
        held: dict[str, tuple[str, str]] = {}
        journal = self.journal if host is None else self.journal_of(host)
        if journal.exists():
            for line in journal.read_text().splitlines():
                entry = json.loads(line)
                if entry["tenant"] == ".keepsake":
                    continue
                held[entry["id"]] = (entry["tenant"], entry["state"])
                if entry["tenant"] == "removed":
                    del held[entry["id"]]
        return held
