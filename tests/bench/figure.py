# SPDX-License-Identifier: LGPL-2.1-or-later
"""A figure: what was measured, beside what, and the bound that it has to keep."""

from __future__ import annotations

import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import Callable


@dataclass
class Row:
    """One line of the table.  value is a ratio where there is an other side, else the figure itself; a bound of None
    promises nothing."""

    what: str
    ours: str
    other: str
    value: float
    bound: float | None
    is_floor: bool = False
    unit: str = ""

    @property
    def is_kept(self) -> bool:
        if self.bound is None:
            return True
        return self.value >= self.bound if self.is_floor else self.value <= self.bound

    @property
    def cells(self) -> list[str]:
        sign = "≥" if self.is_floor else "≤"
        bound = "" if self.bound is None else f"{sign} {format_number(self.bound)}{self.unit}"
        verdict = "MISSED" if not self.is_kept else "kept" if self.bound is not None else ""
        return [
            self.what,
            self.ours,
            self.other,
            format_number(self.value) + self.unit,
            bound,
            verdict,
        ]


def format_number(value: float) -> str:
    if value == int(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def format_ms(value: float) -> str:
    return f"{format_number(value)} ms"


def format_rate(value: float) -> str:
    return f"{value:,.0f} a second"


def time_command(*command: str) -> float:
    """Milliseconds of a whole process, which has to succeed."""
    begun = time.monotonic()
    run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=120)
    took = (time.monotonic() - begun) * 1000
    assert run.returncode == 0, (command, run.stderr[-2000:])
    return took


def take_turns(rounds: int, *sides: Callable[[], float]) -> list[float]:
    """Medians of the sides, run in turn so that whatever else the machine does meets all of them."""
    taken: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, results in zip(sides, taken):
            results.append(side())
    return [statistics.median(results) for results in taken]
