# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in for the service manager: hears what a program tells of itself (sd_notify), and starts one at its socket."""

from __future__ import annotations

import select
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path


class Manager:
    """Listens on a notification socket, whose path is for the environment of a program."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="vmctl-manager.")
        self.path = str(Path(self.folder.name) / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.folder.cleanup()

    def environment(self, watchdog_ms: int = 0) -> dict[str, str]:
        watched = {"WATCHDOG_USEC": str(watchdog_ms * 1000)} if watchdog_ms else {}
        return {"NOTIFY_SOCKET": self.path, **watched}

    def hear(self, seconds: float) -> str | None:
        """The next word, or None if none comes in that time."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(4096).decode()
        except (TimeoutError, BlockingIOError):
            return None

    def wait_for(self, word: str, seconds: float = 20) -> float:
        """Hears until that word comes; how long it took."""
        begun = time.monotonic()
        while True:
            heard = self.hear(seconds)
            assert heard is not None, f"{word} was not heard"
            if heard == word:
                return time.monotonic() - begun
            assert time.monotonic() - begun < seconds, f"{word} was not heard in {seconds} s"


class Activated:
    """A program that the manager starts when somebody connects to its socket, as often as it takes (sd_listen_fds)."""

    def __init__(self, path: Path, *command: str) -> None:
        self.path = path
        self.command = command
        self.processes: list[subprocess.Popen[bytes]] = []
        self.stopped = threading.Event()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self) -> None:
        while not self.stopped.is_set():
            if select.select([self.listener], [], [], 0.05)[0]:
                self.run_once()

    def run_once(self) -> None:
        # LISTEN_PID has to be the program's own, and descriptor 3 the socket.
        script = 'export LISTEN_PID=$$ LISTEN_FDS=1; fd=$1; shift; eval "exec 3<&$fd"; exec "$@"'
        fd = self.listener.fileno()
        process = subprocess.Popen(["sh", "-c", script, "sh", str(fd), *self.command], pass_fds=[fd])
        self.processes.append(process)
        while process.poll() is None:
            if self.stopped.wait(0.02):
                process.terminate()
                process.wait(5)

    @property
    def current(self) -> subprocess.Popen[bytes]:
        return self.processes[-1]

    def __enter__(self) -> Activated:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join(10)
        self.listener.close()
