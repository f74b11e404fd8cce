#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes things from the schema: `generate.py c --output DIR FILE...`."""

from __future__ import annotations

import argparse
import importlib
import sys

import idl

EMITTERS = {"c": "emit_c", "man": "emit_man", "python": "emit_python"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=sorted(EMITTERS))
    parser.add_argument("--output", required=True, help="folder, or file for a single product")
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    try:
        schema = idl.load(arguments.files)
    except idl.SchemaError as error:
        print(error, file=sys.stderr)
        return 1
    importlib.import_module(EMITTERS[arguments.what]).emit(schema, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
