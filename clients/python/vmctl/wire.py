# SPDX-License-Identifier: LGPL-2.1-or-later
"""Varlink over a Unix socket: https://varlink.org.  One connection, calls one after another."""

from __future__ import annotations

import json
import socket
from typing import Any, Iterator

MESSAGE_BYTES = 64 << 20


class Unreachable(ConnectionError):
    """There is no service on the socket, or it may not be used."""


class Lost(ConnectionError):
    """The service closed the connection before it had answered."""


class VarlinkError(Exception):
    """An error that the service answered: `name`, its `parameters`, and its message as text.

    Each error of the schema is a class of its own, made of this one.
    """

    name = ""

    def __init__(self, parameters: dict[str, Any], name: str | None = None) -> None:
        self.name = name or type(self).name
        self.parameters = parameters
        super().__init__(parameters.get("message") or self.name)


class Connection:
    """A connection to the socket at path; a message may take timeout seconds to be sent."""

    def __init__(self, path: str, timeout: float, errors: dict[str, type[VarlinkError]]) -> None:
        self.errors = errors
        self.timeout = timeout
        self.buffer = bytearray()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # With a timeout, a full backlog would be an error in place of a wait.
            self.socket.connect(path)
        except OSError as error:
            self.socket.close()
            raise Unreachable(f"{path}: {error.strerror}") from error

    def close(self) -> None:
        self.socket.close()

    def call(self, method: str, parameters: dict[str, Any], timeout: float | None) -> dict[str, Any]:
        """The parameters of the reply, which may take timeout seconds, None: for ever; raises a VarlinkError, Lost or
        TimeoutError."""
        self._send({"method": method, "parameters": parameters})
        return self._receive(timeout)[0]

    def stream(self, method: str, parameters: dict[str, Any], timeout: float | None) -> Iterator[dict[str, Any]]:
        """The parameters of each reply of a method that answers several times."""
        self._send({"method": method, "parameters": parameters, "more": True})
        continues = True
        while continues:
            reply, continues = self._receive(timeout)
            yield reply

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message, ensure_ascii=False).encode() + b"\0"
        try:
            self.socket.settimeout(self.timeout)
            self.socket.sendall(data)
        except ConnectionError as error:
            raise Lost("the service closed the connection") from error

    def _receive(self, timeout: float | None) -> tuple[dict[str, Any], bool]:
        reply = json.loads(self._receive_message(timeout))
        parameters = reply.get("parameters") or {}
        if "error" in reply:
            kind = self.errors.get(reply["error"], VarlinkError)
            raise kind(parameters, reply["error"])
        return parameters, bool(reply.get("continues"))

    def _receive_message(self, timeout: float | None) -> bytes:
        searched = 0
        self.socket.settimeout(timeout)
        while (end := self.buffer.find(0, searched)) < 0:
            searched = len(self.buffer)
            if searched > MESSAGE_BYTES:
                raise Lost("the service's answer has no end")
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionError as error:
                raise Lost("the service closed the connection") from error
            if not data:
                raise Lost("the service closed the connection")
            self.buffer += data
        message = bytes(self.buffer[:end])
        del self.buffer[: end + 1]
        return message
