# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real guests: by vmd, by the same libvirt calls made straight, and by virt-install."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import uuid
import xml.etree.ElementTree as ET
from pathlib import Path

from figure import Row, format_ms, take_turns, time_command
from lib.daemon import MIB, Vmd, program

URI = "qemu:///system"
POOL_NAME = "vmd"
POOL = Path("/var/lib/libvirt/vmd-pool")
ROUNDS = 15


def virsh(*arguments: str) -> str:
    return subprocess.run(
        ["virsh", "-q", "-c", URI, *arguments], capture_output=True, text=True, check=True, timeout=60
    ).stdout


class Guests:
    """Three ways to one and the same guest.  Each makes one, tells the milliseconds, and removes it."""

    def __init__(self, vmd: Vmd, scratch: Path) -> None:
        self.vmd = vmd
        self.scratch = scratch
        model = vmd.create(name="model")
        self.model = model["id"]
        self.domain = virsh("dumpxml", "--inactive", self.model)
        self.disk = virsh("vol-dumpxml", "--pool", POOL_NAME, f"d-{self.model}.qcow2")
        self.seed = virsh("vol-dumpxml", "--pool", POOL_NAME, f"s-{self.model}.iso")
        self.seed_file = scratch / "seed.iso"
        self.seed_file.write_bytes((POOL / f"s-{self.model}.iso").read_bytes())
        vmd.do("Instance.Destroy", instance="model", request_id="model-gone")

    def by_vmd(self) -> float:
        with self.vmd.connect(120) as connection:
            begun = time.monotonic()
            accepted = connection.call("io.vmctl.Instance.Create", name="ours")["instances"][0]
            operation = connection.call(
                "io.vmctl.Operation.Wait", operation=accepted["operation"], timeout_ms=60000
            )["operation"]
            took = (time.monotonic() - begun) * 1000
        assert operation["state"] == "succeeded", operation
        self.vmd.do("Instance.Destroy", instance="ours")
        return took

    def by_libvirt(self) -> float:
        key = str(uuid.uuid4())
        mac = "02:" + ":".join(key.replace("-", "")[i : i + 2] for i in range(0, 10, 2))
        files = {}
        for name, text in (("domain", self.domain), ("disk", self.disk), ("seed", self.seed)):
            tree = ET.fromstring(text.replace(self.model, key).replace(self.model[:20], key[:20]))
            for address in tree.findall("./devices/interface/mac"):
                address.set("address", mac)
            # What libvirt found out about the first one is not what is asked for.
            for part in ("allocation", "physical", "key", "target/timestamps"):
                parent = tree.find("target") if "/" in part else tree
                child = parent.find(part.rpartition("/")[2]) if parent is not None else None
                if name != "domain" and parent is not None and child is not None:
                    parent.remove(child)
            files[name] = self.scratch / f"{name}.xml"
            files[name].write_text(ET.tostring(tree, encoding="unicode"))
        run = subprocess.run(
            [
                program("LIBVIRT_CALLS"), "create", URI, POOL_NAME,
                str(files["disk"]), str(files["seed"]), str(self.seed_file), str(files["domain"]),
            ],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        virsh("destroy", key)
        virsh("undefine", key)
        for volume in (f"d-{key}.qcow2", f"s-{key}.iso"):
            virsh("vol-delete", "--pool", POOL_NAME, volume)
        return float(run.stdout)

    def by_virt_install(self) -> float:
        tree = ET.fromstring(self.domain)
        backing = tree.find("./devices/disk/backingStore/source")
        assert backing is not None
        disk = POOL / "virt-install.qcow2"
        took = time_command(
            "virt-install", "--connect", URI, "--import", "--name", "virt-install", "--virt-type", tree.get("type", ""),
            "--memory", str(256), "--vcpus", "1", "--osinfo", "detect=off,require=off",
            "--disk", f"path={disk},size=1,format=qcow2,backing_store={backing.get('file')},backing_format=qcow2",
            "--network", "network=vmd,model=virtio", "--graphics", "none", "--noautoconsole",
            "--boot", f"kernel={tree.findtext('os/kernel')},initrd={tree.findtext('os/initrd')},"
            f"kernel_args=\"{tree.findtext('os/cmdline')}\"",
        )  # fmt: skip
        virsh("destroy", "virt-install")
        virsh("undefine", "virt-install")
        disk.unlink()
        virsh("pool-refresh", POOL_NAME)
        return took


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(dir=os.environ["PRIVATE_LIBVIRT_DIR"]) as scratch, Vmd(
        fake=False, import_dir=os.environ["VMCTL_IMAGES"]
    ) as vmd:
        vmd.import_template()
        guests = Guests(vmd, Path(scratch))
        ours, straight, installed = take_turns(ROUNDS, guests.by_vmd, guests.by_libvirt, guests.by_virt_install)
    size = f"a guest of 1 CPU and {256 * MIB // MIB} MiB"
    return [
        Row(f"create to running, {size}; the same libvirt calls made straight", format_ms(ours), format_ms(straight),
            ours / straight, 1.10),
        Row("the same; virt-install --import", format_ms(ours), format_ms(installed), ours / installed, 0.9),
    ]  # fmt: skip
