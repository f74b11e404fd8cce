#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Accounts of users that are kept elsewhere, by what does not answer."""

import contextlib
import os
import pwd
from typing import Iterator

from lib import tap
from lib.daemon import Vmd, program

SLOW = pwd.getpwnam("nobody").pw_uid


@contextlib.contextmanager
def run_with_slow_accounts() -> Iterator[Vmd]:
    vmd = Vmd()
    gate = vmd.dir / "gate"
    os.mkfifo(gate)
    vmd.environment = {"LD_PRELOAD": program("SLOW_ACCOUNTS_SO"), "SLOW_UID": str(SLOW), "SLOW_GATE": str(gate)}
    with vmd:
        yield vmd


def test_who_asks_for_a_slow_account_holds_up_nobody_else() -> None:
    with run_with_slow_accounts() as vmd, vmd.connect() as asking, vmd.connect(10) as other:
        asking.send("io.vmctl.WhoAmI", {"uid": SLOW})
        # Is open once vmd waits there.
        with (vmd.dir / "gate").open("wb"):
            other.call("io.vmctl.Ping")
            assert other.call("io.vmctl.WhoAmI")["uid"] == os.getuid()
        reply, _ = asking.receive()
        assert reply["uid"] == SLOW and reply["tenant"] == f"u{SLOW}" and reply["role"] == "tenant_admin"


def test_one_that_goes_before_the_account_is_found_is_forgotten() -> None:
    with run_with_slow_accounts() as vmd:
        with vmd.connect() as asking:
            asking.send("io.vmctl.WhoAmI", {"uid": SLOW})
            gate = (vmd.dir / "gate").open("wb")
        assert vmd.call("Ping") == {}
        gate.close()
        (vmd.dir / "gate").unlink()
        assert vmd.call("WhoAmI", uid=SLOW)["uid"] == SLOW


if __name__ == "__main__":
    tap.main(globals())
