# SPDX-License-Identifier: LGPL-2.1-or-later
"""A varlink client from the public specification alone (https://varlink.org), sharing nothing with ours."""

from __future__ import annotations

import json
import socket
from typing import Any, Iterator


class VarlinkError(Exception):
    """An error reply: its name and parameters."""

    def __init__(self, name: str, parameters: dict[str, Any]) -> None:
        super().__init__(f"{name}: {json.dumps(parameters)}")
        self.name = name
        self.parameters = parameters


class Connection:
    """One connection; calls one after another."""

    def __init__(self, path: str, timeout: float = 60) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Without a timeout yet: with one, a full backlog is an error instead of a wait.
        self.socket.connect(path)
        self.socket.settimeout(timeout)
        self.buffer = b""

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send_raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send(self, method: str, parameters: dict[str, Any] | None = None, more: bool = False) -> None:
        call: dict[str, Any] = {"method": method, "parameters": parameters or {}}
        if more:
            call["more"] = True
        self.send_raw(json.dumps(call).encode() + b"\0")

    def receive_raw(self) -> dict[str, Any]:
        """The next message as it came; EOFError when the other side has closed."""
        while b"\0" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("the service closed the connection")
            self.buffer += data
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def receive(self) -> tuple[dict[str, Any], bool]:
        """Parameters of the next reply, and whether more follow."""
        reply = self.receive_raw()
        if "error" in reply:
            raise VarlinkError(reply["error"], reply.get("parameters", {}))
        return reply.get("parameters", {}), bool(reply.get("continues"))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.send(method, parameters)
        return self.receive()[0]

    def stream(self, method: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        self.send(method, parameters, more=True)
        more = True
        while more:
            reply, more = self.receive()
            yield reply
