# SPDX-License-Identifier: LGPL-2.1-or-later
"""Work done as another uid, in a child; needs root."""

from __future__ import annotations

import contextlib
import os
import socket
import traceback
from typing import Callable, Iterator


@contextlib.contextmanager
def child_as(uid: int, work: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """Runs work as another uid in a child that holds what it has until the block is left; yields a socket to it."""
    here, there = socket.socketpair()
    here.settimeout(30)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            here.close()
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            work(there)
            there.recv(1)
            status = 0
        except BaseException:  # noqa: B036, it is told, and the parent fails
            traceback.print_exc()
        finally:
            os._exit(status)
    there.close()
    try:
        yield here
    finally:
        here.close()
        _, status = os.waitpid(child, 0)
    assert status == 0, f"the child as uid {uid} failed"
