#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Folders in which others could exchange what we keep: vmd and vmd-meter do not start over them."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Iterator

from lib import tap
from lib.daemon import Vmd, program

REFUSED = 78


@contextlib.contextmanager
def folders() -> Iterator[tuple[Vmd, dict[str, Path]]]:
    """A vmd that was not started, and the folders that are looked at."""
    vmd = Vmd()
    pool = vmd.dir / "pool"
    config = vmd.dir / "vmd.conf"
    config.write_text(config.read_text().replace("/var/lib/libvirt/vmd-pool", str(pool)))
    try:
        yield vmd, {"state": vmd.dir / "state", "pool": pool}
    finally:
        shutil.rmtree(vmd.dir)


def start(vmd: Vmd) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("VMD"), "--config", str(vmd.dir / "vmd.conf")], capture_output=True, text=True, timeout=20, check=False
    )


def start_meter(state: Path) -> subprocess.CompletedProcess[str]:
    command = [program("VMD_METER"), "--controller", "/nowhere", "--socket", str(state) + ".sock", "--state", str(state)]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def open_to(mode: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.mkdir()
        path.chmod(mode)

    return make


def link(path: Path) -> None:
    path.with_suffix(".real").mkdir(mode=0o700)
    path.symlink_to(path.with_suffix(".real"))


def put_a_file(path: Path) -> None:
    path.write_text("")


def give_away(path: Path) -> None:
    path.mkdir(mode=0o700)
    os.chown(path, 12345, -1)


FAULTS: dict[str, list[Callable[[Path], None]]] = {
    "can be written by others": [open_to(0o770), open_to(0o720), open_to(0o702), open_to(0o1777)],
    "is a symbolic link": [link],
    "is no folder": [put_a_file],
    "belongs to another user": [give_away] if os.getuid() == 0 else [],
}


def test_vmd_does_not_start_over_a_folder_that_others_can_change() -> None:
    for which in ("state", "pool"):
        for said, makers in FAULTS.items():
            for make in makers:
                with folders() as (vmd, paths):
                    make(paths[which])
                    ended = start(vmd)
                    assert ended.returncode == REFUSED, (which, said, ended)
                    assert f"{paths[which]} {said}" in ended.stderr, (which, said, ended)
                    assert not (vmd.dir / "run").exists(), "it had begun all the same"


def test_a_link_is_seen_behind_a_slash() -> None:
    with folders() as (vmd, paths):
        config = vmd.dir / "vmd.conf"
        config.write_text(config.read_text().replace(f"state_dir={paths['state']}", f"state_dir={paths['state']}/"))
        link(paths["state"])
        ended = start(vmd)
        assert ended.returncode == REFUSED and "is a symbolic link" in ended.stderr, ended


def test_a_folder_of_our_own_and_one_that_is_not_there_are_good() -> None:
    for mode in (0o700, 0o711, 0o755):
        with folders() as (vmd, paths):
            for path in paths.values():
                path.mkdir()
                path.chmod(mode)
            vmd.start()
            assert vmd.kill(15) == 0
    with folders() as (vmd, paths):
        vmd.start()
        assert vmd.kill(15) == 0
        assert paths["state"].stat().st_mode & 0o777 == 0o700


def test_the_pool_of_a_host_elsewhere_is_not_looked_at() -> None:
    with folders() as (vmd, paths):
        link(paths["pool"])
        with (vmd.dir / "vmd.conf").open("a") as config:
            config.write("uri=qemu+ssh://elsewhere/system\n")
        vmd.start()
        assert vmd.kill(15) == 0


def test_the_meter_does_not_start_either() -> None:
    for said, makers in FAULTS.items():
        for make in makers:
            with folders() as (_, paths):
                make(paths["state"])
                ended = start_meter(paths["state"])
                assert ended.returncode == REFUSED and said in ended.stderr, (said, ended)


if __name__ == "__main__":
    tap.main(globals())
