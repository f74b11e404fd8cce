#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""FOCUS files against the rules of the specification: those that vmd-meter's writer made, which a unit test compares byte by byte."""

from __future__ import annotations

from lib import focus, tap
from lib.tap import ROOT

GOLDEN = ROOT / "tests/golden/focus"


def test_each_version_keeps_its_rules() -> None:
    for version in focus.VERSIONS:
        assert focus.check(version, (GOLDEN / f"{version}.csv").read_bytes()) == [], version


def test_each_rule_is_broken_by_something() -> None:
    for version in focus.VERSIONS:
        data = (GOLDEN / f"{version}.csv").read_bytes()
        for rule in focus.RULES[version]:
            broken = focus.BREAKS[rule.__name__](data)
            assert rule.__name__ in focus.check(version, broken), (version, rule.__name__)


def test_no_version_is_good_for_another() -> None:
    for version in focus.VERSIONS:
        for other in focus.VERSIONS:
            if other != version:
                assert focus.check(other, (GOLDEN / f"{version}.csv").read_bytes()), (version, other)


def test_each_version_is_described() -> None:
    for version in focus.VERSIONS:
        data, text = (GOLDEN / f"{version}.csv").read_bytes(), (GOLDEN / f"{version}.json").read_text()
        assert focus.check_metadata(version, text, data) == [], version
        assert focus.check_metadata(version, text.replace("DATETIME", "STRING"), data)
        assert focus.check_metadata(version, text, focus.drop_column(data, "Tags"))


if __name__ == "__main__":
    tap.main(globals())
