#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Texts that drive a terminal, in every field that vmctl shows and in every line that vmd logs: they stay text.

SHOWS says how many replies each command gets, LOGGED how many errors of a host are logged, SEED which texts.
"""

import json
import os
import random
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any, Iterator

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

from lib import cli, tap  # noqa: E402
from lib.daemon import Vmd  # noqa: E402
from lib.served import FIELD  # noqa: E402
from payloads import make_escape  # noqa: E402

SEED = int(os.environ.get("SEED", "20261125"))
SHOWS = int(os.environ.get("SHOWS", "1"))
LOGGED = int(os.environ.get("LOGGED", "100"))
ROWS = 40
COMMANDS: tuple[tuple[str, ...], ...] = (
    *(("list",), ("show", "x"), ("log", "x"), ("wait", "x"), ("start", "x"), ("destroy", "x", "--yes"), ("create", "x")),
    *(("create", "x", "--dry-run"), ("resize", "x", "--cpus", "2"), ("events", "--after", "0"), ("audit",), ("gc",)),
    *(("template", "list"), ("template", "show", "x"), ("template", "import", "x"), ("template", "remove", "x")),
    *(("host", "list"), ("host", "show", "x"), ("operation", "list"), ("operation", "show", "x"), ("whoami",)),
    *(("version",),),
)
KINDS = ("table", "wide", "csv", "json", "name")

dice = random.Random(SEED)


class Liar:
    """Answers every method as it is described, with a hostile text wherever a text may be."""

    def __init__(self, texts: Iterator[str]) -> None:
        self.texts = texts
        self.types: dict[str, str] = {}
        self.replies: dict[str, str] = {}
        with Vmd() as vmd, vmd.connect() as connection:
            for interface in connection.call("org.varlink.service.GetInfo")["interfaces"]:
                text = connection.call("org.varlink.service.GetInterfaceDescription", interface=interface)["description"]
                text = re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE)
                self.types |= dict(re.findall(r"^type (\w+) \(([^)]*)\)", text, re.MULTILINE))
                for name, reply in re.findall(r"^method (\w+)\([^)]*\) -> \(([^)]*)\)", text, re.MULTILINE):
                    self.replies[f"{interface}.{name}"] = reply

    def value(self, kind: str) -> Any:
        if kind == "int":
            return dice.choice((0, 1, 2**40))
        if kind == "bool":
            return bool(dice.randrange(2))
        if kind == "string":
            return next(self.texts)
        if ":" in self.types[kind]:
            return self.struct(self.types[kind])
        return dice.choice([*self.types[kind].replace(",", " ").split(), next(self.texts)])

    def struct(self, fields: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for _, name, _, list_of, kind in FIELD.findall("\n" + fields.replace(",", ",\n")):
            if list_of == "[]":
                made[name] = [self.value(kind) for _ in range(ROWS if kind in self.types else 3)]
            elif list_of:
                made[name] = {next(self.texts): self.value(kind) for _ in range(3)}
            else:
                made[name] = None if name == "next" and kind == "string" else self.value(kind)
        return made

    def __call__(self, call: dict[str, Any]) -> str:
        if dice.randrange(8) == 0:
            said = {"message": next(self.texts), "incident": next(self.texts)}
            return json.dumps({"error": "io.vmctl.Internal", "parameters": said})
        return json.dumps({"parameters": self.struct(self.replies[call["method"]])})


def find_harm(text: str) -> list[str]:
    """What a terminal or a reader would take for something else than a letter."""
    return [f"U+{ord(letter):04X}" for letter in text if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")]


def hostile_texts() -> Iterator[str]:
    while True:
        yield make_escape(dice)


def test_no_field_of_a_reply_drives_the_terminal() -> None:
    count = 0

    def counted() -> Iterator[str]:
        nonlocal count
        for text in hostile_texts():
            count += 1
            yield text

    with cli.Stand(Liar(counted())) as stand:
        for words in COMMANDS:
            for kind in KINDS:
                for _ in range(SHOWS):
                    _, shown = cli.run_on_terminal(stand.path, *words, "-o", kind)
                    # Progress is our own, and goes away; lines end so on a terminal, and those of CSV in itself.
                    shown = re.sub(r"\r\x1b\[K|\r+\n", "", shown)
                    assert find_harm(shown) == [], (words, kind, find_harm(shown), shown[:2000])
    assert count > 500
    print(f"# {len(COMMANDS) * len(KINDS) * SHOWS} commands on a terminal with {count} hostile texts, seed {SEED}")


def test_one_error_of_a_host_is_one_line_of_the_log() -> None:
    texts = [make_escape(dice) for _ in range(LOGGED)]
    rules = [{"method": "Start", "error": "HostFailed", "message": text, "times": 1} for text in texts]
    with Vmd(script={"rules": rules}) as vmd:
        vmd.import_template()
        before = vmd.log.read_bytes()
        for number in range(LOGGED):
            vmd.wait(vmd.call("Instance.Create", name=f"n{number}")["instances"][0]["operation"])
        after = vmd.log.read_bytes()[len(before) :].decode()
        lines = after.splitlines()
        assert len(lines) == after.count("\n") == LOGGED, (len(lines), LOGGED)
        for number, line in enumerate(lines):
            assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z vmd: instance_create of n", line), line
            assert f"of n{number}: step start: " in line and find_harm(line) == [], line
        # What the operation tells of it is shown as text, too.
        _, shown = cli.run_on_terminal(vmd.socket, "operation", "list", "-o", "json")
        assert find_harm(shown.replace("\r\n", "")) == [], shown
    print(f"# {LOGGED} hostile errors of a host: {LOGGED} lines of the log, seed {SEED}")


def test_requests_are_not_logged() -> None:
    """Whoever may connect cannot write the log, nor fill it."""
    with Vmd() as vmd:
        vmd.import_template()
        before = vmd.log.read_bytes()
        with vmd.connect() as connection:
            for _ in range(200):
                text = make_escape(dice)
                connection.send(text, {text: text})
                assert "error" in connection.receive_raw()
                connection.send("io.vmctl.Instance.Get", {"instance": text})
                assert "error" in connection.receive_raw()
        assert vmd.log.read_bytes() == before


tap.main(globals())
