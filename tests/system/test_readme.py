#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tour of the README, typed as it stands there, over a fake host."""

import re
import subprocess
from pathlib import Path

from lib import cli, tap
from lib.daemon import Vmd, program

README = Path(__file__).parents[2] / "README.md"


def list_commands() -> list[str]:
    """Lines of code that run vmctl, without a prompt."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("vmctl ")]


def test_every_command_of_the_tour_works() -> None:
    script = {"vcpus": 128, "memory_bytes": 512 << 30, "live_resize": True}
    with Vmd(meter=True, script=script) as vmd:
        vmd.import_template()
        folder = str(Path(program("VMCTL")).parent)
        environment = cli.environment(vmd.socket)
        environment["PATH"] = f"{folder}:{environment['PATH']}"
        commands = list_commands()
        assert len(commands) >= 8
        for command in commands:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", command],
                env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert vmd.list_all() == []


tap.main(globals())
