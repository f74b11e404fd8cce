#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kill and every likely error at the system calls of the release's own vmd, and allocations that fail: a sample;
tools/torture takes more."""

import os
import random
import signal

from memory import count_allocations, fail_at
from sweep import ENDS, SCENARIOS, Bench, Scenario, tap, told
from syscalls import ALL, count_calls, error_points, inject, kill_points

SEED = int(os.environ.get("SEED", "20261124"))
KILLS = int(os.environ.get("KILLS", "80"))
ALLOCATIONS = int(os.environ.get("ALLOCATIONS", "60"))
ERRORS = int(os.environ.get("ERRORS", "80"))
# So many of a kind meet vmd at least once.
ENOUGH = 20
WHICH = [scenario for scenario in SCENARIOS if scenario.name in ("create", "create-undone", "resize", "destroy", "import")]

dice = random.Random(SEED)
bench = Bench()
counts: dict[str, dict[str, int]] = {}


def sample(make_points, how_many: int) -> list[tuple[Scenario, tuple[str, str, str]]]:
    points = [(scenario, point) for scenario in WHICH for point in make_points(counts[scenario.name])]
    assert len(points) > 100, points
    return dice.sample(points, min(how_many, len(points)))


def test_a_kill_at_any_system_call_is_as_if_it_had_not_been() -> None:
    ended = 0
    for scenario, point in sample(kill_points, KILLS):
        with told(scenario, *point):
            died, state = bench.run_under(scenario, *inject(*point))
            assert state == scenario.ends, state
            ended += died
    print(f"# {KILLS} kills of vmd or of its worker, {ended} of vmd, seed {SEED}")
    assert KILLS < ENOUGH or ended > 0


def test_an_error_of_any_system_call_ends_in_an_answer_or_in_a_clean_end() -> None:
    ends = []
    for scenario, point in sample(error_points, ERRORS):
        with told(scenario, *point):
            ends.append(bench.run_under(scenario, *inject(*point)))
    died = sum(end[0] for end in ends)
    print(f"# {len(ends)} errors: {died} ends of vmd, {sum(end[1] == 'failed' for end in ends)} failed operations, seed {SEED}")
    assert len(ends) < ENOUGH or 0 < died < len(ends)


def test_an_allocation_that_fails_ends_in_an_answer_or_in_a_clean_end() -> None:
    most = {scenario.name: count_allocations(bench, scenario) for scenario in WHICH}
    assert all(count > 1000 for count in most.values()), most
    died = 0
    for number in range(ALLOCATIONS):
        scenario = dice.choice(WHICH)
        when = f"{dice.randint(1, most[scenario.name])}{'+' if number % 2 else ''}"
        # Without any memory GLib recurses while it says so.
        bench.ends = (*ENDS, -signal.SIGSEGV) if number % 2 else ENDS
        with told(scenario, f"allocation {when}"):
            died += bench.run_under(scenario, *fail_at(when))[0]
    print(f"# {ALLOCATIONS} failed allocations of {most}: {died} ends of vmd, seed {SEED}")
    assert ALLOCATIONS < ENOUGH or died > 0


with bench:
    counts.update((scenario.name, count_calls(bench, scenario, ALL)) for scenario in WHICH)
    tap.main(globals())
