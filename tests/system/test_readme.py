#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tour of the README and the page of tenants, typed as they stand there, over a fake host."""

import re
import subprocess
from pathlib import Path

from lib import cli, tap
from lib.daemon import Vmd, program

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TENANCY = ROOT / "docs/tenancy.md"


def list_blocks(page: Path) -> list[str]:
    """What stands there as something to be typed."""
    return re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def list_commands() -> list[str]:
    """Lines of code that run vmctl, without a prompt."""
    lines = [line.removeprefix("$ ") for block in list_blocks(README) for line in block.splitlines()]
    return [line for line in lines if line.startswith("vmctl ")]


def run_all(vmd: Vmd, commands: list[str]) -> None:
    folder = str(Path(program("VMCTL")).parent)
    environment = cli.environment(vmd.socket)
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    for command in commands:
        done = subprocess.run(
            ["bash", "-e", "-u", "-o", "pipefail", "-c", command],
            env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_every_command_of_the_tour_works() -> None:
    script = {"vcpus": 128, "memory_bytes": 512 << 30, "live_resize": True}
    with Vmd(meter=True, script=script) as vmd:
        vmd.import_template()
        commands = list_commands()
        assert len(commands) >= 8
        run_all(vmd, commands)
        assert vmd.list_all() == []


def test_every_command_of_the_page_of_tenants_works() -> None:
    with Vmd(meter=True, script={"vcpus": 128, "memory_bytes": 512 << 30}) as vmd:
        vmd.import_template()
        blocks = list_blocks(TENANCY)
        assert len(blocks) >= 6
        run_all(vmd, blocks)
        assert vmd.list_all() == []


tap.main(globals())
