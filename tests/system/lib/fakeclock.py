# SPDX-License-Identifier: LGPL-2.1-or-later
"""A vmd whose wall clock is set by the test, by libfaketime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .daemon import Vmd

LIBRARY = Path("/usr/lib", f"{os.uname().machine}-linux-gnu", "faketime", "libfaketimeMT.so.1")


class FakeClock:
    """A vmd that has its wall clock from a file."""

    def __init__(self, jump: str = "+0", **settings: Any) -> None:
        self.vmd = vmd = Vmd(**settings)
        self.file = vmd.dir / "wall-clock"
        self.set(jump)
        self.environment = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def __enter__(self) -> FakeClock:
        self.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.vmd.__exit__(*error)

    def set(self, jump: str) -> None:
        """An offset to the true time in seconds, or a time to start from."""
        self.file.with_suffix(".new").write_text(jump + "\n")
        self.file.with_suffix(".new").replace(self.file)

    def start(self) -> None:
        self.vmd.start(environment=self.environment)
