#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The users and powers of the units on a real guest: vmd has none, vmd-host has libvirt's group and reads what is root's.

Runs within tests/system/private-libvirt.
"""

import os
import pwd
import sys
from pathlib import Path

from lib import oracle, tap
from lib.daemon import Vmd, program
from lib.manager import Activated
from lib.tap import wait_until

# Users that every Debian has, in the place of those of the units: libvirt wants to know their names.
VMD, HOST = pwd.getpwnam("daemon").pw_uid, pwd.getpwnam("games").pw_uid
LIBVIRT = Path("/run/libvirt/libvirt-sock")
NO_POWER = ("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
MAY_READ = "-all,+dac_read_search"
ONE_POWER = ("--no-new-privs", f"--bounding-set={MAY_READ}", f"--inh-caps={MAY_READ}", "--ambient-caps=+dac_read_search")


def become(uid: int, groups: str, *powers: str) -> tuple[str, ...]:
    chosen = f"--groups={groups}" if groups else "--clear-groups"
    return ("setpriv", f"--reuid={uid}", f"--regid={uid}", chosen, *powers)


def make_vmd() -> tuple[Vmd, Activated]:
    vmd = Vmd(fake=False, import_dir=os.environ.get("VMCTL_IMAGES", ""))
    path = vmd.dir / "hosts" / "local.sock"
    config = vmd.dir / "vmd.conf"
    config.write_text(config.read_text().replace(f"worker={program('VMD_HOST')}\n", f"worker=unix:{path}\n"))
    for folder in ("state", "run"):
        (vmd.dir / folder).mkdir()
        os.chown(vmd.dir / folder, VMD, VMD)
    group = str(LIBVIRT.stat().st_gid)
    worker = Activated(path, *become(HOST, group, *ONE_POWER), program("VMD_HOST"), "--config", str(config))
    os.chown(path, VMD, VMD)
    path.chmod(0o600)
    return vmd, worker


def who(pid: int) -> tuple[str, str, str]:
    """Real uid, groups and effective capabilities."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return status["Uid"].split()[0], status["Groups"].strip(), status["CapEff"]


def test_neither_is_root_and_vmd_has_no_group_of_libvirts() -> None:
    assert vmd.process is not None
    assert who(vmd.process.pid) == (str(VMD), "", "0000000000000000")
    assert who(worker.current.pid) == (str(HOST), str(LIBVIRT.stat().st_gid), "0000000000000004")


def test_a_guest_is_made_used_and_destroyed() -> None:
    vmd.import_template()
    vmd.create(name="apart")
    vmd.call("Instance.Wait", instance="apart", until="ready", timeout_ms=90000)
    wait_until(lambda: "tiny: ready apart" in vmd.console("apart"), "the guest's own word")
    vmd.do("Instance.Pause", instance="apart")
    vmd.do("Instance.Resume", instance="apart")
    vmd.do("Instance.Stop", instance="apart", force=True)
    oracle.check_audit(vmd)
    vmd.do("Instance.Destroy", instance="apart")
    oracle.check_audit(vmd)


vmd, worker = make_vmd()
with worker:
    try:
        vmd.start(under=become(VMD, "", *NO_POWER))
        tap.main(globals())
    finally:
        vmd.__exit__(*sys.exc_info())
