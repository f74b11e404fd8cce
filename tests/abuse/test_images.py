#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hostile images and folders by the way of a template, through the real vmd-host over libvirt's test driver.

FLIPPED says how many imports are made of an image that is exchanged all the while.
"""

import contextlib
import json
import os
import re
import shutil
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

import hostile_images  # noqa: E402
from lib import tap  # noqa: E402
from lib.daemon import MIB, Vmd, program  # noqa: E402
from watch import is_sanitized  # noqa: E402

FLIPPED = int(os.environ.get("FLIPPED", "60"))
MANIFEST = {
    "name": "hostile",
    "version": "1",
    "description": "none",
    "arch": "x86_64",
    "login_user": "root",
    "disk": "disk.qcow2",
    "minimum": {"vcpus": 1, "memory_bytes": 128 * MIB, "disk_bytes": 128 * MIB},
    "default": {"vcpus": 1, "memory_bytes": 128 * MIB, "disk_bytes": 128 * MIB},
}
CANNOT = "The disk image cannot be taken"
OPENED = re.compile(r"^\d+ +([\d.]+) .*\bopen\w*(?:\(| resumed>).* = \d+<(.*)>$", re.MULTILINE)
BEGUN = re.compile(r"^\d+ +([\d.]+) (execve\(|v?fork\(|clone3?\((?!.*CLONE_THREAD))", re.MULTILINE)

shared = Vmd(host={"uri": "test:///default", "worker": program("VMD_HOST"), "worker_arguments": ""})
folder = shared.dir / "import" / "hostile"
trace = shared.dir / "trace"


def lay_out(image: bytes | None = None, **manifest: Any) -> None:
    """The template's folder as it is, anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "template.json").write_text(json.dumps({**MANIFEST, **manifest}))
    if image is not None:
        (folder / "disk.qcow2").write_bytes(image)


def failure() -> dict[str, str]:
    """Why the import of what is laid out fails."""
    operation = shared.wait(shared.call("Template.Import", source="hostile")["operation"])
    assert operation["state"] == "failed", operation
    return operation["failure"]


def find_opened(since: float) -> list[str]:
    return [path for at, path in OPENED.findall(trace.read_text(errors="replace")) if float(at) > since]


def began(since: float) -> bool:
    """Whether a process was started."""
    return any(float(at) > since for at, _ in BEGUN.findall(trace.read_text(errors="replace")))


def worker_memory_mib() -> int:
    (pid,) = shared.children("vmd-host")
    return int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) // 1024


def test_a_plain_image_gets_past_the_look_at_its_header() -> None:
    for image in (hostile_images.make_image(), hostile_images.make_image(version=2)):
        lay_out(image)
        # The test driver then has no way to take a volume's bytes.
        told = failure()
        assert told["error"] == "io.vmctl.HostFailed", told


def test_every_hostile_image_is_refused_and_nothing_else_is_opened() -> None:
    images = hostile_images.make_all()
    assert len(images) >= 200
    since = time.time()
    for name, image in images.items():
        lay_out(image)
        told = failure()
        assert told["error"] == "io.vmctl.InvalidParameter" and CANNOT in told["message"], (name, told)
    opened = find_opened(since)
    assert opened.count(str(folder / "disk.qcow2")) == len(images)
    foreign = {path for path in opened if not path.startswith(str(shared.dir / "import"))}
    assert foreign == set(), foreign
    assert not began(since)
    assert is_sanitized(shared) or worker_memory_mib() < 64
    print(f"# {len(images)} hostile images: all refused, {len(opened)} files opened, none outside the import folder")


def test_a_sparse_image_of_63_tib_is_refused_before_any_process_starts() -> None:
    since = time.time()
    lay_out(hostile_images.make_image(size=63 * hostile_images.TIB, l1_size=2**17))
    os.truncate(folder / "disk.qcow2", 1_200_000)
    told = failure()
    assert "virtual size" in told["message"], told
    assert not began(since)


def make_link(target: str) -> None:
    (folder / "disk.qcow2").symlink_to(target)


def make_manifest_link() -> None:
    (folder / "template.json").unlink()
    (folder / "template.json").symlink_to("/etc/passwd")


def make_device() -> None:
    if os.getuid() == 0:
        os.mknod(folder / "disk.qcow2", 0o20600, os.makedev(1, 5))
    else:
        os.mkfifo(folder / "disk.qcow2")


TRAPS = {
    "a link to a secret": lambda: make_link("/etc/shadow"),
    "a link to a good image": lambda: make_link("../good.qcow2"),
    "a link to itself": lambda: make_link("disk.qcow2"),
    "a link into proc": lambda: make_link("/proc/self/fd/0"),
    "a pipe": lambda: os.mkfifo(folder / "disk.qcow2"),
    "a folder": lambda: (folder / "disk.qcow2").mkdir(),
    "a device": make_device,
    "nothing": lambda: None,
    "an empty file": lambda: (folder / "disk.qcow2").touch(),
    "a linked manifest": make_manifest_link,
}
NAMES = ("../good.qcow2", "/etc/shadow", "..", ".", "", "x/../../good.qcow2", "./disk.qcow2", ".hidden", "a/b", "disk.qcow2/")


def test_a_template_leads_nowhere_but_into_its_own_folder() -> None:
    since = time.time()
    folder.parent.mkdir(exist_ok=True)
    (folder.parent / "good.qcow2").write_bytes(hostile_images.make_image())
    for name, make in TRAPS.items():
        lay_out()
        make()
        told = failure()
        assert told["error"] in ("io.vmctl.InvalidParameter", "io.vmctl.NotFound"), (name, told)
    for name in NAMES:
        lay_out(hostile_images.make_image(), disk=name)
        told = failure()
        assert told["error"] in ("io.vmctl.InvalidParameter", "io.vmctl.NotFound"), (name, told)
        lay_out(hostile_images.make_image(), kernel=name)
        assert failure()["error"] != "io.vmctl.Internal"
    shutil.rmtree(folder)
    folder.symlink_to("/etc")
    told = failure()
    folder.unlink()
    assert told["error"] == "io.vmctl.NotFound", told
    foreign = {path for path in find_opened(since) if not path.startswith(str(folder.parent))}
    assert foreign == set() and str(folder.parent / "good.qcow2") not in find_opened(since), foreign


def flip(ends: threading.Event) -> None:
    """The image is one thing, and then another: each takes the place of the one before at once."""
    aside = folder.parent / "aside"
    # Short, so that each of them stays for about as long as the others.
    good, bad = hostile_images.make_image()[:1024], hostile_images.with_backing_name(b"/etc/shadow")[:1024]
    makers: list[Callable[[Path], Any]] = [
        lambda path: path.write_bytes(good),
        lambda path: path.symlink_to("/etc/shadow"),
        lambda path: os.link(folder.parent / "good.qcow2", path),
        os.mkfifo,
        lambda path: path.write_bytes(bad),
        lambda path: path.symlink_to("../good.qcow2"),
    ]
    while not ends.is_set():
        for make in makers:
            make(aside)
            aside.rename(folder / "disk.qcow2")


def test_an_image_that_changes_while_it_is_looked_at_leads_nowhere() -> None:
    since = time.time()
    lay_out(hostile_images.make_image())
    (folder.parent / "good.qcow2").write_bytes(hostile_images.make_image())
    ends = threading.Event()
    attacker = threading.Thread(target=flip, args=(ends,))
    attacker.start()
    try:
        seen = Counter(failure()["error"].rpartition(".")[2] for _ in range(FLIPPED))
    finally:
        ends.set()
        attacker.join()
    assert seen.keys() <= {"HostFailed", "InvalidParameter", "NotFound"} and len(seen) > 1, seen
    opened = set(find_opened(since))
    assert {path for path in opened if not path.startswith(str(folder.parent))} == set(), opened
    print(f"# {FLIPPED} imports of an image that is exchanged all the while: {dict(seen)}")


def test_a_hostile_manifest_is_refused() -> None:
    texts = [b"", b"{", b"[]", b"[" * 60000, b'{"name":"a","name":"b"}', b'{"name":"\\u0000"}', b"\xff", b" " * 70000, b"null"]
    changes: list[dict[str, Any]] = [
        {"name": "../x"}, {"name": ""}, {"name": 1}, {"version": "1/../2"}, {"extra": 1}, {"disk": None},
        {"minimum": {"vcpus": 0, "memory_bytes": 1, "disk_bytes": 1}}, {"minimum": None}, {"login_user": "a b"},
        {"default": {"vcpus": 1e9, "memory_bytes": 2**63, "disk_bytes": -1}},
    ]  # fmt: skip
    for text in [*texts, *(json.dumps({**MANIFEST, **change}).encode() for change in changes)]:
        lay_out(hostile_images.make_image(size=4096, l1_size=1))
        (folder / "template.json").write_bytes(text)
        told = failure()
        assert told["error"] in ("io.vmctl.InvalidParameter", "io.vmctl.TooLarge"), (text[:90], told)


if shutil.which("strace") is None:
    print("1..0 # SKIP there is no strace")
else:
    calls = "trace=open,openat,openat2,execve,fork,vfork,clone,clone3"
    follow = ("strace", "-D", "-f", "-q", "-y", "-ttt", "-o", str(trace), "-e", calls)
    with contextlib.ExitStack() as stack:
        stack.push(shared.__exit__)
        # Who looks for leaks is in the way of who follows.
        shared.start(under=follow, environment={"ASAN_OPTIONS": "detect_leaks=0"})
        # What vmd reads once, it has read then.
        lay_out(b"")
        failure()
        tap.main(globals())
