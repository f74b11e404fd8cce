#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The database on a disk that is full, damaged or lost, and the copies of it."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Callable

from lib import oracle, tap
from lib.daemon import MIB, Vmd, program
from lib.tap import expect, wait_until
from lib.varlink import VarlinkError

DAMAGES = int(os.environ.get("DAMAGES", "40"))
SEED = int(os.environ.get("SEED", "20261125"))
DISK = 64 * MIB
EXIT_DATA = 65


def enter_own_mounts() -> None:
    """Goes on in a mount namespace of its own, where it may mount a small disk."""
    if os.environ.get("VMCTL_OWN_MOUNTS") is None:
        flags = ["--mount"] if os.getuid() == 0 else ["--mount", "--map-root-user"]
        os.environ["VMCTL_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])


class SmallDisk:
    """A vmd whose state folder is a disk of its own."""

    def __init__(self, **settings: dict) -> None:
        self.vmd = Vmd(**settings)
        self.state = self.vmd.dir / "state"
        self.filler = self.state / "filler"

    def __enter__(self) -> SmallDisk:
        self.state.mkdir(mode=0o700)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", str(self.state)], check=True
        )
        self.vmd.start()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.vmd.__exit__(*error)
        finally:
            subprocess.run(["umount", str(self.state)], check=True)
            shutil.rmtree(self.vmd.dir, ignore_errors=True)

    def fill(self) -> None:
        with self.filler.open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass


def test_on_a_full_disk_nothing_is_added_and_everything_can_be_given_back() -> None:
    with SmallDisk() as disk:
        vmd = disk.vmd
        vmd.import_template()
        kept = vmd.create(name="kept")
        going = [vmd.create(name=f"going-{number}") for number in range(8)]
        pid = vmd.process.pid if vmd.process else 0
        disk.fill()
        wait_until(lambda: grows_or_is_refused(vmd), "the disk to be full", 60)
        for row in going:
            vmd.do("Instance.Destroy", instance=row["id"])
        expect("io.vmctl.DiskFull", vmd.call, "Instance.Create")
        assert vmd.process is not None and vmd.process.pid == pid and vmd.process.poll() is None
        assert vmd.get(kept["id"])["state"] == "running"
        disk.filler.unlink()
        wait_until(lambda: not is_refused(vmd), "room to be seen", 30)
        vmd.create(name="again")
        assert (disk.state / "ballast").stat().st_size == 8 * MIB
        oracle.check_at_rest(vmd)


def is_refused(vmd: Vmd) -> bool:
    try:
        vmd.call("Instance.Resume", instance="nobody")
    except VarlinkError as error:
        return error.name == "io.vmctl.DiskFull"
    return False


def grows_or_is_refused(vmd: Vmd) -> bool:
    """Restarts on the full disk: true once that is refused."""
    if is_refused(vmd):
        return True
    vmd.do("Instance.Restart", instance="kept", force=True)
    return False


def test_a_vmd_that_begins_on_a_full_disk_still_destroys() -> None:
    with SmallDisk() as disk:
        vmd = disk.vmd
        vmd.import_template()
        row = vmd.create(name="one")
        vmd.kill()
        disk.fill()
        vmd.start()
        vmd.do("Instance.Destroy", instance=row["id"])
        disk.filler.unlink()
        oracle.check_at_rest(vmd)


def copies(vmd: Vmd) -> list[Path]:
    return sorted((vmd.dir / "state" / "backups").glob("vmd-*.db"))


def read_names(path: Path) -> list[str]:
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [name for (name,) in database.execute("SELECT b FROM instance ORDER BY b")]


def test_copies_are_made_while_it_works_and_a_bounded_number_is_kept() -> None:
    with Vmd(daemon={"backup_seconds": 1, "backups_kept": 2}) as vmd:
        vmd.import_template()
        vmd.create(name="early")
        made: set[str] = set()
        wait_until(lambda: grew(made, vmd), "four copies", 30)
        assert len(copies(vmd)) <= 2
        assert "early" in read_names(copies(vmd)[-1])


def grew(made: set[str], vmd: Vmd) -> bool:
    made.update(path.name for path in copies(vmd))
    return len(made) >= 4


def test_a_copy_can_be_put_in_place_of_the_database_and_nothing_is_destroyed() -> None:
    with Vmd(daemon={"backup_seconds": 1, "backups_kept": 2}) as vmd:
        vmd.import_template()
        vmd.create(name="early")
        wait_until(lambda: copies(vmd) and "early" in read_names(copies(vmd)[-1]), "a copy with it", 30)
        copy = copies(vmd)[-1].read_bytes()
        later = vmd.create(name="later")
        vmd.kill()
        state = vmd.dir / "state"
        (state / "vmd.db").write_bytes(copy)
        (state / "vmd.db-wal").unlink(missing_ok=True)
        vmd.start()
        assert [row["name"] for row in vmd.list_all()] == ["early"]
        assert vmd.domains()[later["id"]] == "running"
        found = vmd.call("Audit.Run")["findings"]
        assert {(row["kind"], row["id"]) for row in found} == {("unowned", later["id"])}, found


def flip(dice: random.Random, path: Path) -> None:
    text = bytearray(path.read_bytes())
    text[dice.randrange(len(text))] ^= 1 << dice.randrange(8)
    path.write_bytes(text)


def zero_a_page(dice: random.Random, path: Path) -> None:
    text = bytearray(path.read_bytes())
    page = dice.randrange(len(text) // 4096) * 4096
    text[page : page + 4096] = bytes(4096)
    path.write_bytes(text)


def cut(dice: random.Random, path: Path) -> None:
    os.truncate(path, dice.randrange(path.stat().st_size))


def empty(dice: random.Random, path: Path) -> None:
    os.truncate(path, 0)


def remove(dice: random.Random, path: Path) -> None:
    path.unlink()


def link(dice: random.Random, path: Path) -> None:
    other = path.with_name("elsewhere.db")
    path.rename(other)
    path.symlink_to(other)


def make_newer(dice: random.Random, path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version=99")
    database.close()


def make_a_folder(dice: random.Random, path: Path) -> None:
    path.unlink()
    path.mkdir()


REFUSED: list[Callable[[random.Random, Path], None]] = [empty, remove, link, make_newer, make_a_folder]
DAMAGE: list[Callable[[random.Random, Path], None]] = [flip, zero_a_page, cut]


class Model:
    """A stopped vmd's state, to be damaged again and again."""

    def __init__(self, vmd: Vmd) -> None:
        self.vmd = vmd
        self.state = vmd.dir / "state"
        self.kept = vmd.dir / "kept"
        vmd.import_template()
        for number in range(6):
            vmd.create(name=f"vm-{number}", labels={"number": str(number)})
        vmd.do("Instance.Stop", instance="vm-3", force=True)
        wait_until(lambda: all(row["ready"] or row["name"] == "vm-3" for row in vmd.list_all()), "the guests")
        self.rows = self.read()
        self.domains = vmd.domains()
        assert vmd.kill(signal.SIGTERM) == 0
        shutil.copytree(self.state, self.kept)

    def read(self) -> dict[str, object]:
        """What must not change in silence."""
        rows = self.vmd.list_all()
        for row in rows:
            row.pop("seen_at", None)
        return {
            "instances": rows,
            "templates": self.vmd.call("Template.List")["templates"],
            "operations": self.vmd.call("Operation.List", limit=500)["operations"],
        }

    def restore(self) -> Path:
        shutil.rmtree(self.state)
        shutil.copytree(self.kept, self.state)
        return self.state / "vmd.db"

    def try_to_start(self) -> int | None:
        """How it ended, if it refused to start."""
        self.vmd.log.write_text("")
        try:
            self.vmd.start()
        except AssertionError:
            assert self.vmd.process is not None
            status = self.vmd.process.wait(10)
            self.vmd.process = None
            return status
        return None

    def check_refusal(self, status: int) -> None:
        said = self.vmd.log.read_text(errors="replace")
        assert status == EXIT_DATA and "database" in said and "vmd(8)" in said, (status, said)


def test_a_database_that_is_lost_replaced_or_newer_is_refused_and_left_as_it_is() -> None:
    with Vmd() as vmd:
        model = Model(vmd)
        for damage in REFUSED:
            path = model.restore()
            damage(random.Random(SEED), path)
            before = sorted((entry.name, entry.lstat().st_size) for entry in model.state.iterdir())
            status = model.try_to_start()
            assert status is not None, damage.__name__
            model.check_refusal(status)
            assert sorted((entry.name, entry.lstat().st_size) for entry in model.state.iterdir()) == before
            assert vmd.domains() == model.domains
        model.restore()
        vmd.start()


def test_a_damaged_database_is_refused_or_read_right_and_destroys_nothing() -> None:
    dice = random.Random(SEED)
    refused = 0
    with Vmd() as vmd:
        model = Model(vmd)
        for number in range(DAMAGES):
            damage = DAMAGE[number % len(DAMAGE)]
            damage(dice, model.restore())
            status = model.try_to_start()
            if status is None:
                assert model.read() == model.rows, damage.__name__
                assert vmd.kill(signal.SIGTERM) == 0
            else:
                model.check_refusal(status)
                refused += 1
            assert vmd.domains() == model.domains
        model.restore()
        vmd.start()
    print(f"# {DAMAGES} damages, {refused} refused, seed {SEED}")
    assert 0 < refused


def describe(vmd: Vmd) -> list[dict]:
    """The instances, without what is of a moment."""
    passing = ("seen_at", "changed_at", "started_at", "reason")
    return [{key: value for key, value in row.items() if key not in passing} for row in vmd.list_all()]


def test_a_lost_database_is_rebuilt_from_what_the_domains_carry() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        vmd.create(name="runs", labels={"tier": "web"})
        vmd.create(name="stopped", vcpus=2)
        vmd.do("Instance.Stop", instance="stopped", force=True)
        vmd.do("Instance.Resize", instance="runs", vcpus=3)
        wait_until(lambda: vmd.get("runs")["ready"], "the guest")
        before, domains = describe(vmd), vmd.domains()
        vmd.kill()
        shutil.rmtree(vmd.dir / "state")
        said = vmd.rebuild()
        assert said.returncode == 0 and said.stdout == "2 instances were taken up, 0 were left\n", said
        vmd.start()
        wait_until(lambda: vmd.get("runs")["ready"], "the guest")
        assert describe(vmd) == before
        assert vmd.domains() == domains
        oracle.check_at_rest(vmd)
        vmd.do("Instance.Start", instance="stopped")
        for name in ("runs", "stopped"):
            vmd.do("Instance.Destroy", instance=name)
        vmd.do("Template.Remove", template="tiny")
        assert vmd.domains() == {}
        oracle.check_at_rest(vmd)


def test_a_rebuild_of_a_whole_database_changes_nothing() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        vmd.create(name="one")
        vmd.kill(signal.SIGTERM)
        said = vmd.rebuild()
        assert said.returncode == 0 and said.stdout == "0 instances were taken up, 0 were left\n", said
        vmd.start()
        oracle.check_at_rest(vmd)


def test_a_domain_with_a_damaged_keepsake_is_left_as_it_is() -> None:
    with Vmd() as vmd:
        vmd.import_template()
        good, bad = vmd.create(name="good"), vmd.create(name="bad")
        vmd.kill()
        for keepsake in ("", "AAAA", "e30=", "W1tbW1tb", read_keepsake(vmd, good["id"])):
            shutil.rmtree(vmd.dir / "state")
            with vmd.journal.open("a") as journal:
                line = {"id": bad["id"], "tenant": ".keepsake", "name": keepsake}
                journal.write(json.dumps({**last_entry(vmd, bad["id"]), **line}) + "\n")
            said = vmd.rebuild()
            assert said.returncode == 1 and "1 instances were taken up, 1 were left" in said.stdout, said
            assert f"left: {bad['id']} (bad of default): " in said.stdout, said
        vmd.start()
        assert [row["name"] for row in vmd.list_all()] == ["good"]
        assert vmd.domains()[bad["id"]] == "running"


def entries(vmd: Vmd) -> list[dict]:
    return [json.loads(line) for line in vmd.journal.read_text().splitlines()]


def last_entry(vmd: Vmd, instance: str) -> dict:
    return [entry for entry in entries(vmd) if entry["id"] == instance][-1]


def read_keepsake(vmd: Vmd, instance: str) -> str:
    return [entry["name"] for entry in entries(vmd) if entry["id"] == instance and entry["tenant"] == ".keepsake"][-1]


def test_user_data_is_nowhere_once_its_guest_was_made() -> None:
    secret = "open-sesame-4711"
    with Vmd(meter=True, daemon={"backup_seconds": 1}) as vmd:
        vmd.import_template()
        vmd.create(name="made", user_data=f"#!/bin/sh\n: {secret}\n", request_id="once")
        vmd.write_script({"rules": [{"method": "Define", "error": "HostFailed", "message": "no"}]})
        vmd.kill(signal.SIGTERM)
        vmd.start()
        failed = vmd.call("Instance.Create", name="failed", user_data=f"#!/bin/sh\n: {secret}\n")
        assert vmd.wait(failed["instances"][0]["operation"])["state"] == "failed"
        begun = len(copies(vmd))
        wait_until(lambda: len(copies(vmd)) > begun, "a copy", 30)
        shown = json.dumps([vmd.list_all(), vmd.events(), vmd.ledger(), vmd.call("Operation.List")])
        assert secret not in shown
        vmd.kill(signal.SIGTERM)
        for path in vmd.dir.rglob("*"):
            if path.is_file():
                assert secret.encode() not in path.read_bytes(), path


def test_a_second_vmd_is_kept_out() -> None:
    with Vmd() as vmd:
        second = subprocess.run(
            [program("VMD"), "--config", str(vmd.dir / "vmd.conf")], capture_output=True, text=True, timeout=30, check=False
        )
        assert second.returncode == EXIT_DATA and "locked" in second.stderr, second
        vmd.import_template()


enter_own_mounts()
tap.main(globals())
