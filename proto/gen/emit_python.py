# SPDX-License-Identifier: LGPL-2.1-or-later
"""vmctl/api.py of the Python client: a class for each interface with a method for each call, the structs as TypedDicts,
the errors as exceptions."""

from __future__ import annotations

import keyword
import re
import textwrap
from pathlib import Path

from idl import Doc, Field, Interface, Method, Schema, Type, TypeDef

HEAD = '''\
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What vmd and vmd-meter can be asked.  Generated from the schema by proto/gen: not to be changed by hand."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Iterator, List, Literal, TypedDict

from .wire import VarlinkError

if TYPE_CHECKING:
    from .client import Client
'''
PRIMITIVES = {"bool": "bool", "int": "int", "string": "str"}
# Which program serves an interface; all others are vmd's.
SERVICES = {"io.vmctl.Billing": "meter"}
WIDTH = 116


def snake(name: str) -> str:
    """`GetInfo` as Python writes it: `get_info`."""
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return word + "_" if keyword.iskeyword(word) else word


def show_type(kind: Type) -> str:
    if kind.kind == "array":
        assert kind.element is not None
        # Not list: within a class that has a method of that name, it would be that.
        shown = f"List[{show_type(kind.element)}]"
    elif kind.kind == "dict":
        shown = "dict[str, str]"
    else:
        shown = PRIMITIVES.get(kind.kind, kind.name)
    return f"{shown} | None" if kind.nullable else shown


def indent_doc(doc: Doc, depth: int, more: list[str]) -> list[str]:
    """A docstring of the comment and of lines more."""
    lines = doc.text.replace("\\", "\\\\").splitlines() + ([""] if doc.text and more else []) + more
    if not lines:
        return []
    pad = " " * depth
    if len(lines) == 1:
        return [f'{pad}"""{lines[0]}"""']
    return [f'{pad}"""{lines[0]}', *(f"{pad}{line}".rstrip() for line in lines[1:]), f'{pad}"""']


def emit_type(definition: TypeDef) -> list[str]:
    if definition.values is not None:
        values = ", ".join(f'"{value}"' for value in definition.values)
        line = f"{definition.name} = Literal[{values}]"
        return ["", *textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_on_hyphens=False)]
    if any(keyword.iskeyword(member.name) for member in definition.fields or []):
        members = [f'    "{m.name}": "{show_type(m.type)}",' for m in definition.fields or []]
        return ["", f'{definition.name} = TypedDict("{definition.name}", {{', *members, "}, total=False)"]
    lines = ["", "", f"class {definition.name}(TypedDict, total=False):"]
    lines += indent_doc(definition.doc, 4, []) + [""] * bool(definition.doc.text)
    for member in definition.fields or []:
        lines += [f"    # {line}" for line in member.doc.text.splitlines()]
        lines.append(f"    {member.name}: {show_type(member.type)}")
    return lines


def describe(fields: list[Field]) -> list[str]:
    """A line for each field that has something to say."""
    return [f"{snake(f.name)}: {' '.join(f.doc.text.split())}" for f in fields if f.doc.text]


def emit_signature(method: Method, name: str, reply: str) -> list[str]:
    words = ["self"]
    if method.call:
        words.append("*")
    # What must be given stands first.
    for member in sorted(method.call, key=lambda f: f.type.nullable):
        default = " = None" if member.type.nullable else ""
        words.append(f"{snake(member.name)}: {show_type(member.type)}{default}")
    line = f"    def {name}({', '.join(words)}) -> {reply}:"
    if len(line) <= WIDTH:
        return [line]
    return [f"    def {name}(", *(f"        {word}," for word in words), f"    ) -> {reply}:"]


def find_page(schema: Schema, method: Method) -> Field | None:
    """The list of a reply that comes in pages: one array beside "next", continued by "after"."""
    arrays = [f for f in method.reply if f.type.kind == "array"]
    is_paged = any(f.name == "after" for f in method.call) and any(
        f.name == "next" and f.type == Type("string", nullable=True) for f in method.reply
    )
    return arrays[0] if is_paged and len(arrays) == 1 else None


def emit_body(method: Method, caller: str, interface: Interface, ends: str) -> list[str]:
    service = SERVICES.get(interface.name, "vmd")
    has_request = any(f.name == "request_id" for f in method.call)
    repeats = has_request or method.doc.notes["effect"] == "read" or "idempotent" in method.doc.notes
    lines = ["        parameters = _given(locals())"]
    if has_request:
        lines.append('        parameters.setdefault("request_id", str(uuid.uuid4()))')
    call = f'self._client.{caller}("{service}", "{interface.name}.{method.name}", parameters{ends.format(repeats=repeats)})'
    return [*lines, f"        return {call}"]


def emit_method(schema: Schema, interface: Interface, method: Method) -> list[str]:
    notes = method.doc.notes
    more = [*describe(method.call), f"For {notes['role']}s and those above."]
    if notes.get("fails"):
        more.append(f"Raises {notes['fails']}.")
    reply = f"{interface.prefix}{method.name}Reply"
    name = snake(method.name)
    lines = ["", *emit_signature(method, name, reply), *indent_doc(method.doc, 8, more)]
    waits = any(f.name == "timeout_ms" for f in method.call)
    lines += emit_body(method, "_call", interface, ", repeats={repeats}" + ", waits=True" * waits)
    if "more" in notes:
        lines += ["", *emit_signature(method, f"{name}_stream", f"Iterator[{reply}]")]
        lines += [f'        """As {name}(), in as many replies as it takes."""']
        lines += emit_body(method, "_stream", interface, "")
    page = find_page(schema, method)
    if page is not None:
        assert page.type.element is not None
        element = show_type(page.type.element)
        lines += ["", *emit_signature(method, f"{name}_all", f"Iterator[{element}]")]
        lines += [
            f'        """Each of "{page.name}" of {name}(), over all its pages."""',
            "        parameters = _given(locals())",
            "        while True:",
            f"            page: Any = self.{name}(**parameters)",
            f'            yield from page["{page.name}"]',
            '            if page.get("next") is None:',
            "                return",
            '            parameters["after"] = page["next"]',
        ]
    return lines


def emit_interface(schema: Schema, interface: Interface) -> list[str]:
    lines: list[str] = []
    for definition in interface.types:
        lines += emit_type(definition)
    for method in interface.methods:
        reply = TypeDef(f"{interface.prefix}{method.name}Reply", Doc(), 0, fields=method.reply)
        lines += emit_type(reply) + ([] if method.reply else ["    pass"])
    lines += ["", "", f"class {interface.prefix}Interface:"]
    lines += indent_doc(interface.doc, 4, [f"{interface.name}, served by {'vmd-meter' if interface.name in SERVICES else 'vmd'}."])
    lines += ["", "    def __init__(self, client: Client) -> None:", "        self._client = client"]
    for method in interface.methods:
        lines += emit_method(schema, interface, method)
    return lines


def emit_errors(interfaces: list[Interface]) -> list[str]:
    lines: list[str] = []
    table = []
    for interface in interfaces:
        for error in interface.errors:
            lines += ["", "", f"class {error.name}(VarlinkError):"]
            members = ", ".join(f.name for f in error.fields)
            lines += indent_doc(error.doc, 4, [f"Its parameters: {members}."] if members else [])
            lines += ["", f'    name = "{interface.name}.{error.name}"']
            table.append(f'    "{interface.name}.{error.name}": {error.name},')
    return [*lines, "", "", "ERRORS: dict[str, type[VarlinkError]] = {", *table, "}"]


def emit(schema: Schema, output: str) -> None:
    """Writes the module to the file output."""
    interfaces = [i for i in schema.interfaces if i.is_ours and not i.is_private]
    lines = [HEAD]
    for interface in interfaces:
        lines += emit_interface(schema, interface)
    lines += emit_errors(interfaces)
    lines += ["", "", "class Interfaces(VmctlInterface):"]
    lines += ['    """What is common to all, and all other interfaces as attributes."""', ""]
    lines += ["    def __init__(self, client: Client) -> None:", "        super().__init__(client)"]
    others = [i for i in interfaces if i.name != "io.vmctl"]
    lines += [f"        self.{snake(i.prefix)} = {i.prefix}Interface(client)" for i in others]
    lines += ["", "", "def _given(values: dict[str, Any]) -> dict[str, Any]:"]
    lines.append('    """The arguments of a call that were given."""')
    lines.append('    return {name.rstrip("_"): value for name, value in values.items() if name != "self" and value is not None}')
    Path(output).write_text("\n".join(lines) + "\n", encoding="utf-8")
