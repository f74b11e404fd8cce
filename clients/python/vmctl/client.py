# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client: finds the sockets, keeps a connection to each, and repeats what may be repeated."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Any, Iterator

from .api import ERRORS, Interfaces
from .wire import Connection, Lost, Unreachable, VarlinkError

RETRY_SECONDS = 30.0
RETRY_PAUSE_SECONDS = 0.2
SOCKETS = {"vmd": "vmd.sock", "meter": "meter.sock"}


def find_folder() -> Path:
    """Where the sockets are: the system's service, or the caller's own."""
    system = Path("/run/vmd")
    if os.geteuid() == 0 or (system / SOCKETS["vmd"]).exists():
        return system
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / "vmd"


def find_socket(service: str, path: str | None) -> str:
    """The socket of a service, beside vmd's at path, in VMCTL_SOCKET, or where it usually is."""
    path = path or os.environ.get("VMCTL_SOCKET")
    if not path:
        return str(find_folder() / SOCKETS[service])
    return path if service == "vmd" else str(Path(path).parent / SOCKETS[service])


class Client(Interfaces):
    """Calls to vmd and vmd-meter: `client.instance.list()`, `client.billing.usage()`.

    socket: that of vmd; timeout: seconds that a reply may take.  A call that lost its connection after the client had one
    is made again for up to retry seconds: one that changes something has a request_id, made up if none was given, and so
    is done once.  Not for use by several threads at once.
    """

    def __init__(self, socket: str | None = None, timeout: float = 60, retry: float = RETRY_SECONDS) -> None:
        super().__init__(self)
        self._sockets = {service: find_socket(service, socket) for service in SOCKETS}
        self._timeout = timeout
        self._retry = retry
        self._connections: dict[str, Connection] = {}
        self._was_connected: set[str] = set()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for service in list(self._connections):
            self._drop(service)

    def _drop(self, service: str) -> None:
        connection = self._connections.pop(service, None)
        if connection is not None:
            connection.close()

    def _connect(self, service: str) -> Connection:
        if service not in self._connections:
            self._connections[service] = Connection(self._sockets[service], self._timeout, ERRORS)
            self._was_connected.add(service)
        return self._connections[service]

    def _call(
        self, service: str, method: str, parameters: dict[str, Any], repeats: bool, waits: bool = False
    ) -> dict[str, Any]:
        """One call.  repeats: whether it may be made again when it is not known whether it was done; waits: whether the
        service waits for something, which takes as long as the caller or the service says."""
        give_up = time.monotonic() + self._retry
        timeout: float | None = self._timeout
        if waits:
            timeout = self._timeout + parameters["timeout_ms"] / 1000 if "timeout_ms" in parameters else None
        while True:
            had_one = service in self._was_connected
            try:
                return self._connect(service).call(method, parameters, timeout)
            except (Lost, Unreachable) as error:
                self._drop(service)
                may_repeat = had_one and (repeats or isinstance(error, Unreachable))
                if not may_repeat or time.monotonic() >= give_up:
                    raise
            except VarlinkError:
                raise
            except BaseException:
                # A reply that was not waited for would be taken for that of the next call.
                self._drop(service)
                raise
            time.sleep(RETRY_PAUSE_SECONDS)

    def _stream(self, service: str, method: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """A stream has a connection of its own, which ends with it."""
        connection = Connection(self._sockets[service], self._timeout, ERRORS)
        try:
            yield from connection.stream(method, parameters, None if parameters.get("follow") else self._timeout)
        finally:
            connection.close()

