#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A thread of the store that stands still is not taken for alive, though the main loop turns."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

from lib import tap  # noqa: E402
from lib.daemon import Vmd  # noqa: E402
from lib.manager import Manager  # noqa: E402

WATCHDOG_MS = 300
HELD_MS = 1200


def held(nth: int) -> dict[str, str]:
    """The nth transaction takes long."""
    return {"VMCTL_FAILPOINTS": f"store.commit.before=delay:{HELD_MS}@{nth}"}


def test_words_cease_while_the_disk_stands_still_and_come_again() -> None:
    with Manager() as manager, Vmd(environment={**manager.environment(WATCHDOG_MS), **held(12)}):
        longest = max(manager.wait_for("WATCHDOG=1") for _ in range(13))
        assert longest > (HELD_MS - WATCHDOG_MS) / 1000, f"it went on while its store stood still: {longest}"


def test_the_main_loop_answers_meanwhile() -> None:
    with Manager() as manager, Vmd(environment={**manager.environment(WATCHDOG_MS), **held(8)}) as vmd:
        while manager.hear(WATCHDOG_MS / 1000) is not None:
            pass
        assert vmd.call("Instance.List")["instances"] == []
        assert manager.hear(0) is None
        manager.wait_for("WATCHDOG=1")


if __name__ == "__main__":
    tap.main(globals())
