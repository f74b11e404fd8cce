# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in for the service manager: what a program tells of itself (sd_notify)."""

from __future__ import annotations

import socket
import tempfile
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
