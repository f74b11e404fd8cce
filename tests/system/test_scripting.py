#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/scripting.md, typed as it stands there, and `vmctl apply`, over a fake host."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lib import cli, oracle, tap
from lib.daemon import Vmd, program

PAGE = Path(__file__).parents[2] / "docs" / "scripting.md"
ROOMY = {"instances": 3000, "vcpus": 9000, "memory": "9T"}
LARGE = {"vcpus": 4000, "memory_bytes": 8 << 40}


def run_with(**more: Any) -> Vmd:
    return Vmd(quota=ROOMY, script=LARGE, group={"dead_seconds": 1, "proof_seconds": 1}, **more)


def apply(vmd: Vmd, fleet: dict[str, Any], *words: str, status: int = 0) -> list[tuple[str, str, str]]:
    done = cli.run(vmd.socket, "apply", "-f", "-", "-o", "json", *words, status=status, text=json.dumps(fleet))
    return [(row["action"], row["kind"], row["name"]) for row in json.loads(done.stdout)["steps"]]


def complain(vmd: Vmd, text: str) -> str:
    return cli.run(vmd.socket, "apply", "-f", "-", status=2, text=text).stderr


def test_every_command_of_the_page_works() -> None:
    blocks = re.findall(r"```(sh|python)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 13
    with run_with() as vmd:
        vmd.import_template("tiny")
        vmd.import_template("other")
        environment = cli.environment(vmd.socket)
        environment["PATH"] = f"{Path(program('VMCTL')).parent}:{environment['PATH']}"
        shells = {"sh": ["bash", "-e", "-o", "pipefail", "-c"], "python": [sys.executable, "-c"]}
        for language, block in blocks:
            done = subprocess.run(
                [*shells[language], block],
                env=environment, cwd=vmd.dir, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        assert vmd.list_all() == [] and vmd.call("Group.List")["groups"] == []
        oracle.check_at_rest(vmd)


def test_a_fleet_comes_to_what_its_file_says() -> None:
    web = {"group": "web", "max": 9, "count": 2, "template": "tiny"}
    data = {"name": "db", "vcpus": 1, "template": "tiny"}
    with run_with() as vmd:
        vmd.import_template("tiny")
        vmd.import_template("other")
        fleet = {"fleet": "shop", "groups": [web], "instances": [data, {"name": "cache"}]}
        made = [("create", "group", "web"), ("create", "instance", "db"), ("create", "instance", "cache")]
        assert apply(vmd, fleet, "--dry-run") == made and vmd.list_all() == []
        assert apply(vmd, fleet) == made
        assert vmd.get("db")["labels"] == {"fleet": "shop"} and vmd.get("web-1")["labels"] == {"fleet": "shop"}
        assert apply(vmd, fleet) == []
        web.update(count=3, template="other")
        data["vcpus"] = 2
        assert apply(vmd, fleet) == [("scale", "group", "web"), ("update", "group", "web"), ("resize", "instance", "db")]
        assert {row["template"] for row in vmd.list_all() if "group" in row} == {"other:1"}
        assert vmd.get("db")["vcpus"] == 2 and apply(vmd, fleet) == []
        fleet["instances"] = [data]
        vmd.create(name="stranger")
        assert apply(vmd, fleet) == []
        assert apply(vmd, fleet, "--prune") == [("remove", "instance", "cache")]
        alone = sorted(row["name"] for row in vmd.list_all() if "group" not in row)
        assert alone == ["db", "stranger"] and len(vmd.list_all()) == 5
        oracle.check_at_rest(vmd)


def test_what_cannot_be_changed_in_place_changes_nothing() -> None:
    with run_with() as vmd:
        vmd.import_template()
        vmd.create(name="db")
        fleet = {"fleet": "shop", "instances": [{"name": "db"}, {"name": "new"}]}
        assert apply(vmd, fleet, status=1) == [("refuse", "instance", "db"), ("create", "instance", "new")]
        assert [row["name"] for row in vmd.list_all()] == ["db"]


def test_a_bad_file_is_told_where() -> None:
    with run_with() as vmd:
        assert "fleet" in complain(vmd, "{}")
        assert "instances[0].vcpus" in complain(vmd, '{"fleet": "a", "instances": [{"name": "x", "vcpus": 0}]}')
        assert "groups[0].max" in complain(vmd, '{"fleet": "a", "groups": [{"group": "x"}]}')
        assert "a second time" in complain(vmd, '{"fleet": "a", "instances": [{"name": "x"}, {"name": "x"}]}')
        assert "has no name" in complain(vmd, '{"fleet": "a", "instances": [{}]}')
        assert "machines" in complain(vmd, '{"fleet": "a", "machines": []}')
        assert "label" in complain(vmd, '{"fleet": "a", "instances": [{"name": "x", "labels": {"fleet": "b"}}]}')
        assert complain(vmd, "[" * 90000) != "" and complain(vmd, "not JSON") != ""


def test_a_thousand_that_are_as_they_should_be_are_quick() -> None:
    with run_with(keep_domains=False) as vmd:
        vmd.import_template()
        for begin in ("n", "m"):
            reply = vmd.call("Instance.Create", name=begin, count=500, vcpus=1, labels={"fleet": "big"})
            for accepted in reply["instances"]:
                vmd.wait(accepted["operation"])
        rows = [{"name": f"{letter}-{number}", "vcpus": 1} for letter in "nm" for number in range(1, 501)]
        best = 60.0
        for _ in range(5):
            begun = time.monotonic()
            assert apply(vmd, {"fleet": "big", "instances": rows}) == []
            best = min(best, time.monotonic() - begun)
        print(f"# 1,000 unchanged: {best:.3f} s")
        assert best < 20


tap.main(globals())
