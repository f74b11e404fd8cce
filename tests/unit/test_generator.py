#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bad schema ends the build with a message that names file and line, and what is wrong."""

import os
import re
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [os.environ["GENERATOR"], str(Path(__file__).parents[1] / "system")]

import idl  # noqa: E402
from lib import tap  # noqa: E402

NOTES = "# @role viewer\n# @effect read\n"

FAULTS = [
    # The schema after its first line, the line of the fault, what is said of it.
    ("type A (x: int", 3, "expected ',', found 'the end of the file'"),
    ("type a (x: int)", 2, "expected the name of the type, found 'a'"),
    ("thing A (x: int)", 2, "expected type, method or error, found 'thing'"),
    ("type A (x: int, x: int)", 2, "field 'x' stands twice"),
    ("type A (one, two, one)", 2, "value 'one' stands twice"),
    ("type A (x: ??int)", 2, "a type cannot be nullable twice"),
    ("type A (x: (y: int))", 2, "give it a name of its own"),
    ("type A (x: float)", 2, "type 'float' is not used here"),
    ("type A (x: B)", 2, "field 'x': type 'B' is not defined"),
    ("type A (x: [string]int)", 2, "a dict holds strings here"),
    ("type A (x: []int)", 2, "an array holds strings or structs here"),
    ("type A (x: []?string)", 2, "an array holds strings or structs here"),
    ("type A (y: int)\ntype A (x: int)", 3, "type 'A' is already in test.varlink"),
    ("type A (\n  # @min one\n  x: int\n)", 4, "@min wants a whole number, not 'one'"),
    ("type A (\n  # @min 1\n  x: string\n)", 4, "field 'x': @min and @max go with an int"),
    ("type A (\n  # @format colour\n  x: string\n)", 4, "@format 'colour' is not one of"),
    ("type A (\n  # @colour red\n  x: string\n)", 4, "note @colour is not known on a field"),
    ("method M() -> ()", 2, "method M: needs a note @role, one of billing"),
    ("# @role viewer\nmethod M() -> ()", 3, "needs a note @effect, one of read, change, release"),
    ("# @role viewer\n# @effect change\nmethod M() -> ()", 4, "so it takes request_id: ?string"),
    (NOTES + "# @fails Nope\nmethod M() -> ()", 5, "@fails names 'Nope', which is no error"),
    (NOTES + "method M() ()", 4, "expected '->', found '('"),
    (NOTES + "method M() -> ()\nerror M ()", 5, "'M' stands twice"),
    ("type A (x: int)\n$", 3, "'$'"),
]


def load(*texts: str) -> idl.Schema:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, text in enumerate(texts):
            path = Path(folder) / ("test.varlink" if number == 0 else f"test{number}.varlink")
            path.write_text(text, encoding="utf-8")
            paths.append(str(path))
        return idl.load(paths)


def refusal(*texts: str) -> str:
    try:
        load(*texts)
    except idl.SchemaError as error:
        return str(error)
    raise AssertionError(f"taken: {texts}")


def test_every_fault_is_named_with_its_place() -> None:
    for text, line, said in FAULTS:
        message = refusal(f"interface io.vmctl.test\n{text}\n")
        assert message.startswith(f"test.varlink:{line}: ") and said in message, (text, message)


def test_a_name_of_an_interface_is_checked() -> None:
    assert "expected the name of an interface" in refusal("interface Test\n")
    assert "expected 'interface'" in refusal("type A (x: int)\n")


def test_types_of_other_interfaces_are_refused_in_public_ones() -> None:
    other = "interface io.vmctl.other\ntype B (x: int)\n"
    assert "belongs to io.vmctl.other" in refusal("interface io.vmctl.test\ntype A (x: B)\n", other)
    schema = load("# @private\ninterface io.vmctl.test\ntype A (x: B)\n", other)
    assert schema.find_type("B") is not None


def test_comments_become_the_text_and_the_notes() -> None:
    schema = load(f"# What it is.\ninterface io.vmctl.test\n# It does.\n{NOTES}method M(x: ?[]string) -> (y: [string]string)\n")
    (interface,) = schema.interfaces
    (method,) = interface.methods
    assert interface.doc.text == "What it is." and method.doc.text == "It does."
    assert method.doc.notes == {"role": "viewer", "effect": "read"}
    assert method.call[0].type == idl.Type("array", element=idl.Type("string"), nullable=True)


def test_our_own_schema_is_good() -> None:
    paths = sorted(Path(os.environ["GENERATOR"]).parent.glob("*.varlink"))
    schema = idl.load([str(path) for path in paths])
    assert len(schema.interfaces) == len(paths)
    for interface in schema.interfaces:
        assert re.match(r"(io\.vmctl|org\.varlink)", interface.name)


tap.main(globals())
