#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that mean ill, on real QEMU: what they write stays theirs, and nobody else's is in their reach.

Runs within tests/system/private-libvirt.  REMNANTS says how often a disk is looked through for its forerunner's bytes,
FLIPPED how often an image is imported that changes all the while.
"""

import base64
import json
import os
import re
import shutil
import signal
import stat
import sys
import threading
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

from hostile_images import make_image, with_backing_name  # noqa: E402
from lib import oracle, tap  # noqa: E402
from lib.daemon import GIB, MIB, Vmd  # noqa: E402
from lib.tap import wait_until  # noqa: E402

FLIPPED = int(os.environ.get("FLIPPED", "20"))
REMNANTS = int(os.environ.get("REMNANTS", "1"))
POOL = Path("/var/lib/libvirt/vmd-pool")
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
OURS = re.compile(rf"t-{UUID}\.(qcow2|kernel|initrd)|d-({UUID})\.qcow2|s-({UUID})\.iso")
MARKED_MIB = 16

shared = Vmd(fake=False)


def console(name: str) -> str:
    log = shared.call("Instance.Log", instance=name, offset=0, max_bytes=65536)
    return base64.b64decode(log["data"]).decode(errors="replace").replace("\r", "")


def said(name: str, word: str) -> list[str]:
    """What the guest's script told after this word, each time, in whole lines."""
    return re.findall(rf"^{word} (.*)\n", console(name), re.MULTILINE)


def wait_for_word(name: str, word: str, times: int = 1) -> list[str]:
    wait_until(lambda: len(said(name, word)) >= times, f"{name} to say {word}", 240)
    return said(name, word)


def files_of_qemu() -> dict[str, set[str]]:
    """By instance, the regular files outside of the system's own that its QEMU has open."""
    found: dict[str, set[str]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            if not command[0].startswith(b"/usr/bin/qemu-system") or b"-uuid" not in command:
                continue
            paths = {os.readlink(link) for link in (process / "fd").iterdir()}
        except (FileNotFoundError, ProcessLookupError):
            continue
        own = command[command.index(b"-uuid") + 1].decode()
        found[own] = {path for path in paths if path.startswith("/") and stat.S_ISREG(Path(path).stat().st_mode)}
    return found


def check_files() -> None:
    """The pool has only files of ours that no stranger may touch, and each QEMU has open only its own of them."""
    live = {row["id"] for row in shared.list_all()}
    for path in POOL.iterdir():
        match = OURS.fullmatch(path.name)
        assert match and (match[2] or match[3] or "") in live | {""}, path
        assert path.stat().st_mode & 0o007 == 0, (path, oct(path.stat().st_mode))
    for own, paths in files_of_qemu().items():
        for path in paths:
            name = Path(path).name
            assert path.startswith(f"{POOL}/t-") or own in name, (own, path)


def test_after_every_verb_only_files_of_ours_lie_in_the_pool_and_no_stranger_may_touch_them() -> None:
    shared.create(name="walk")
    check_files()
    assert files_of_qemu()[shared.get("walk")["id"]] & {f"{POOL}/d-{shared.get('walk')['id']}.qcow2"}
    for verb, more in (
        ("Pause", {}),
        ("Resume", {}),
        ("Resize", {"disk_bytes": 2 * GIB}),
        ("Stop", {"force": True}),
        ("Resize", {"vcpus": 2}),
        ("Start", {}),
        ("Restart", {"force": True}),
        ("Destroy", {}),
    ):
        shared.do(f"Instance.{verb}", instance="walk", **more)
        check_files()
    print("# the pool's files looked at after 9 verbs")


def test_an_image_header_that_a_guest_writes_to_its_disk_is_data() -> None:
    header = with_backing_name(b"/etc/shadow")[:512]
    octal = "".join(f"\\{byte:03o}" for byte in header)
    script = (
        "#!/bin/sh\n"
        "look() { dd if=/dev/vda bs=512 count=1 2>/dev/null | md5sum | cut -c1-32; }\n"
        'echo "found $(look) $(cat /sys/block/vda/size)"\n'
        f"printf '{octal}' | dd of=/dev/vda bs=512 conv=notrunc 2>/dev/null\nsync\n"
        # Run again at the next boot.
        "rm /var/lib/tiny/instance-id; sync\n"
        'echo "wrote $(look) $(cat /sys/block/vda/size)"\n'
    )
    shared.create(name="forger", user_data=script, disk_bytes=GIB)
    (wrote,) = wait_for_word("forger", "wrote")
    (first,) = said("forger", "found")
    assert wrote.split()[0] != first.split()[0]
    shared.do("Instance.Restart", instance="forger", force=True)
    told = wait_for_word("forger", "wrote", 2), said("forger", "found")
    assert told == ([wrote, wrote], [first, wrote]), (told, console("forger"))
    shared.do("Instance.Stop", instance="forger", force=True)
    shared.do("Instance.Resize", instance="forger", disk_bytes=2 * GIB)
    shared.do("Instance.Start", instance="forger")
    again, size = wait_for_word("forger", "found", 3)[2].split()
    assert again == wrote.split()[0] and int(size) == 2 * GIB // 512, (again, size)
    check_files()
    shared.do("Instance.Destroy", instance="forger")


def flip(path: Path, ends: threading.Event) -> None:
    """Writes one header and then the other, in place, over and over."""
    headers = [make_image()[:512], with_backing_name(b"/etc/shadow")[:512]]
    with path.open("r+b", buffering=0) as image:
        while not ends.is_set():
            for header in headers:
                image.seek(0)
                image.write(header)


def test_an_image_that_changes_after_it_was_looked_at_does_not_get_into_the_pool() -> None:
    folder = shared.dir / "import" / "flipped"
    folder.mkdir(parents=True)
    size = {"vcpus": 1, "memory_bytes": 128 * MIB, "disk_bytes": 128 * MIB}
    words = {"name": "flipped", "version": "1", "description": "", "arch": "x86_64", "login_user": "root"}
    (folder / "template.json").write_text(json.dumps({**words, "disk": "disk", "minimum": size, "default": size}))
    (folder / "disk").write_bytes(make_image())
    ends = threading.Event()
    attacker = threading.Thread(target=flip, args=(folder / "disk", ends))
    attacker.start()
    taken = 0
    try:
        for _ in range(FLIPPED):
            ended = shared.wait(shared.call("Template.Import", source="flipped")["operation"])
            if ended["state"] == "succeeded":
                (template,) = (row for row in shared.call("Template.List")["templates"] if row["name"] == "flipped")
                assert (POOL / f"t-{template['id']}.qcow2").read_bytes()[:512] == make_image()[:512]
                shared.do("Template.Remove", template="flipped")
                taken += 1
    finally:
        ends.set()
        attacker.join()
    check_files()
    print(f"# {FLIPPED} imports of an image whose header changes all the while, {taken} of a good one")


def test_a_new_disk_has_nothing_of_the_one_before() -> None:
    for number in range(REMNANTS):
        marker = uuid.uuid4().hex
        half, rest = marker[:16], marker[16:]
        write = (
            f"#!/bin/sh\nyes {marker} | head -c {MARKED_MIB * MIB} > /marked\nsync\n"
            f"echo wrote $(grep -c {marker} /marked)\n"
        )
        # Its own script must not be what it finds; zeros are left out, for they are no lines.
        read = f"#!/bin/sh\na={half}\nb={rest}\necho found $(tr -d '\\000' </dev/vda | grep -c \"$a$b\")\n"
        shared.create(name=f"before-{number}", user_data=write, disk_bytes=256 * MIB)
        (wrote,) = wait_for_word(f"before-{number}", "wrote")
        assert int(wrote) >= MARKED_MIB * MIB // len(marker + "\n"), wrote
        shared.do("Instance.Destroy", instance=f"before-{number}")
        shared.create(name=f"after-{number}", user_data=read, disk_bytes=256 * MIB)
        assert wait_for_word(f"after-{number}", "found") == ["0"]
        shared.do("Instance.Destroy", instance=f"after-{number}")
    print(f"# {REMNANTS} disks looked through for the {MARKED_MIB} MiB that their forerunners wrote: none found")


def connect_anew() -> None:
    for worker in shared.children("vmd-host"):
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: shared.host()["state"] != "connected", "the worker to be missed")


def test_a_pool_that_others_may_write_in_is_not_used() -> None:
    POOL.chmod(0o1777)
    try:
        connect_anew()
        wait_until(lambda: "others may write" in shared.host().get("reason", ""), "the pool to be refused", 60)
        assert shared.host()["state"] != "connected"
    finally:
        POOL.chmod(0o711)
    shared.wait_for_host()


def test_nothing_is_left_in_the_end() -> None:
    oracle.check_audit(shared)
    check_files()


with shared:
    shutil.copytree(os.environ["VMCTL_IMAGES"], shared.dir / "import")
    shared.import_template()
    tap.main(globals())
