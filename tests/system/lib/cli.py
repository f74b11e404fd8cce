# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs vmctl, on a terminal where wanted, and stands in for its service."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, Callable

from .daemon import program


def environment(path: str) -> dict[str, str]:
    return {**os.environ, "VMCTL_SOCKET": path, "LC_ALL": "C.UTF-8"}


def run(path: str, *words: str, status: int = 0, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """vmctl to its end, with this exit status."""
    done = subprocess.run(
        [program("VMCTL"), *words],
        env=environment(path),
        capture_output=True,
        text=True,
        input=text if text is not None else "",
        timeout=100,
        check=False,
    )
    assert done.returncode == status, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def start(path: str, *words: str) -> subprocess.Popen[str]:
    # SIGINT may be ignored where the tests were started in the background.
    return subprocess.Popen(
        [program("VMCTL"), *words],
        env=environment(path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def run_on_terminal(path: str, *words: str, answer: bytes = b"") -> tuple[int, str]:
    """The exit status, and all that appeared on a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(program("VMCTL"), ["vmctl", *words], environment(path))
    if answer:
        os.write(terminal, answer)
    shown = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


class Stand:
    """A service that answers as a function says: a reply's text, or None to hang up."""

    def __init__(self, answer: Callable[[dict[str, Any]], str | None]) -> None:
        self.answer = answer
        self.calls: list[dict[str, Any]] = []
        self.folder = tempfile.TemporaryDirectory(prefix="vmctl-stand.")
        self.path = str(Path(self.folder.name) / "vmd.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.serve_one(connection)

    def serve_one(self, connection: socket.socket) -> None:
        data = b""
        while True:
            while b"\0" not in data:
                more = connection.recv(65536)
                if not more:
                    return
                data += more
            message, _, data = data.partition(b"\0")
            self.calls.append(json.loads(message))
            reply = self.answer(self.calls[-1])
            if reply is None:
                return
            connection.sendall(reply.encode("utf-8", "surrogateescape") + b"\0")

    def __enter__(self) -> Stand:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
        self.folder.cleanup()
