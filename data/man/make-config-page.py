#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fills the keys into vmd.conf.5.in: `make-config-page.py TEMPLATE VMD OUTPUT` asks VMD for its own table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def escape(text: str) -> str:
    """Plain text as mdoc."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def describe(row: str) -> tuple[str, str]:
    """The group of a row "group<TAB>key<TAB>default<TAB>meaning", and its entry."""
    group, key, default, meaning = row.split("\t")
    shown = f"Default:\n.Li {escape(default)}" if default else "Empty by default"
    return group, f".It Cm {escape(key)}\n{escape(meaning)}\n{shown} .\n"


def make_keys(table: str) -> str:
    pages: dict[str, str] = {}
    for row in table.splitlines():
        group, entry = describe(row)
        pages[group] = pages.get(group, "") + entry
    return "".join(
        f".Sh [{group.upper()}]\n.Bl -tag -width Ds\n{entries}.El\n" for group, entries in pages.items()
    ).rstrip("\n")


def main() -> None:
    template, vmd, output = sys.argv[1:]
    table = subprocess.run([vmd, "--print-config-keys"], check=True, capture_output=True, text=True).stdout
    Path(output).write_text(Path(template).read_text(encoding="utf-8").replace("@KEYS@", make_keys(table)), "utf-8")


if __name__ == "__main__":
    main()
