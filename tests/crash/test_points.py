#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kill at every point of every workflow, a second one while it recovers, and every step failing."""

import os
import random

from sweep import SCENARIOS, Bench, tap, told

SEED = int(os.environ.get("SEED", "20261124"))
# Pairs of kills for each scenario; tools/torture takes more.
PAIRS = int(os.environ.get("PAIRS", "4"))

bench = Bench()
points = {}


def test_every_kind_of_operation_has_a_scenario() -> None:
    kinds = {name.split(".")[0] for names in points.values() for name in names}
    schema = (tap.ROOT / "proto/io.vmctl.Operation.varlink").read_text()
    wanted = schema.split("type OperationKind (")[1].split(")")[0].replace(",", " ").split()
    assert set(wanted) <= kinds, set(wanted) - kinds


def test_a_kill_at_every_point_is_as_if_it_had_not_been() -> None:
    kills = 0
    for scenario in SCENARIOS:
        for point in points[scenario.name]:
            with told(scenario, point):
                kills += bench.run_kills(scenario, point)
    print(f"# {kills} kills")
    assert kills >= sum(len(names) for names in points.values()) * 9 // 10


def test_a_kill_while_it_recovers_from_a_kill() -> None:
    dice = random.Random(SEED)
    kills = 0
    for scenario in SCENARIOS:
        for _ in range(PAIRS):
            pair = dice.choices(points[scenario.name], k=2)
            with told(scenario, *pair):
                kills += bench.run_kills(scenario, *pair)
    print(f"# {kills} kills in pairs, seed {SEED}")
    assert kills > PAIRS * len(SCENARIOS)


def test_a_step_that_fails_leaves_a_legal_state_and_can_be_cleaned_up() -> None:
    ends = []
    for scenario in SCENARIOS:
        for point in points[scenario.name]:
            if not point.startswith("store."):
                with told(scenario, point, "error"):
                    ends.append(bench.run_error(scenario, point))
    print(f"# {len(ends)} failing steps, {ends.count('failed')} failed operations")
    assert ends.count("failed") > len(ends) // 2


with bench:
    points.update((scenario.name, bench.find_points(scenario)) for scenario in SCENARIOS)
    tap.main(globals())
