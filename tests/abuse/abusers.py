# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that mean ill.  Each kind runs in a child of its own until its socket to the parent is closed."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from typing import Callable

PART = b'{"method":"io.vmctl.Ping","parameters":{'
MUCH = b'{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"io.vmctl.Instance"}}\0' * 100
LINE_BYTES = 100 * 1024 * 1024

Abuser = Callable[[str, socket.socket, int], int]


def is_told_to_stop(there: socket.socket) -> bool:
    return bool(select.select([there], [], [], 0)[0])


class Crowd:
    """Connections that are made again when they are closed."""

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        self.poll = select.poll()
        self.held: dict[int, socket.socket] = {}
        self.made = 0
        for _ in range(size):
            self.add()

    def add(self) -> None:
        one = socket.socket(socket.AF_UNIX)
        one.connect(self.path)
        one.setblocking(False)
        self.held[one.fileno()] = one
        self.poll.register(one, 0)
        self.made += 1

    def replace_the_closed(self) -> None:
        for number, _ in self.poll.poll(20):
            self.poll.unregister(number)
            self.held.pop(number).close()
            self.add()

    def send(self, data: bytes) -> None:
        """As much of it as each takes."""
        for one in self.held.values():
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                one.send(data)


def write_halves(path: str, there: socket.socket, size: int) -> int:
    """Begins messages and does not end them."""
    crowd = Crowd(path, size)
    crowd.send(PART)
    there.send(b"+")
    while not is_told_to_stop(there):
        crowd.replace_the_closed()
    return crowd.made


def read_nothing(path: str, there: socket.socket, size: int) -> int:
    """Asks for as much as it can, and takes none of it."""
    crowd = Crowd(path, size)
    crowd.send(MUCH)
    there.send(b"+")
    while not is_told_to_stop(there):
        crowd.replace_the_closed()
        crowd.send(MUCH)
    return crowd.made


def dribble(path: str, there: socket.socket, size: int) -> int:
    """Sends messages that never end, a byte at a time."""
    crowd = Crowd(path, size)
    crowd.send(b"{")
    there.send(b"+")
    while not is_told_to_stop(there):
        crowd.replace_the_closed()
        crowd.send(b" ")
    return crowd.made


def write_long_lines(path: str, there: socket.socket, size: int) -> int:
    """Messages of 100 MB: counts those that were taken whole, which is none."""
    block = b" " * 1048576
    whole = 0
    there.send(b"+")
    while not is_told_to_stop(there):
        with socket.socket(socket.AF_UNIX) as one, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            one.connect(path)
            for _ in range(LINE_BYTES // len(block)):
                one.sendall(block)
            whole += 1
    return whole


def come_and_go(path: str, there: socket.socket, size: int) -> int:
    """Connects and leaves, without a word."""
    count = 0
    there.send(b"+")
    while not is_told_to_stop(there):
        for _ in range(min(size, 100)):
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(path)
            count += 1
    return count


def as_child(abuser: Abuser, path: str, size: int) -> Callable[[socket.socket], None]:
    """The abuser as lib.uids runs it; it is nice to the processor, for it is vmd that is looked at."""

    def work(there: socket.socket) -> None:
        os.nice(19)
        abuser(path, there, size)

    return work
