# SPDX-License-Identifier: LGPL-2.1-or-later
"""vmctl-protocol.7: the public interfaces as a manual page."""

from __future__ import annotations

import re
from pathlib import Path

from idl import Field, Interface, Method, Schema, Type

HEAD = """\
.\\" SPDX-License-Identifier: LGPL-2.1-or-later
.\\" Generated from the schema by proto/gen.
.Dd November 24, 2026
.Dt VMCTL-PROTOCOL 7
.Os
.Sh NAME
.Nm vmctl-protocol
.Nd the calls that vmd and vmd-meter answer
.Sh DESCRIPTION
The protocol is varlink: a call is a JSON object and a NUL byte on a Unix socket, and so is each reply.
.Bd -literal -offset indent
{"method": "io.vmctl.Instance.Get", "parameters": {"instance": "web"}}
{"parameters": {"instance": {"name": "web", "state": "running", ...}}}
{"error": "io.vmctl.NotFound", "parameters": {"message": ..., "kind": ..., "name": ...}}
.Ed
.Pp
With
.Li \\(dqmore\\(dq: true
in the call, a method that is marked so answers several times; every reply but the last has
.Li \\(dqcontinues\\(dq: true .
.Li org.varlink.service.GetInfo
and
.Li GetInterfaceDescription
give the schema itself.
A field whose type begins with
.Sq \\&?
may be left out; the others may not.
A field that is not in the schema is refused.
"""
TAIL = """\
.Sh SEE ALSO
.Xr vmctl 1 ,
.Xr vmd 8
"""
NOTE_NAMES = {
    "min": "at least {}",
    "max": "at most {}",
    "max-length": "at most {} bytes each",
    "max-items": "at most {} items",
    "format": "a {}",
}


def escape(text: str) -> str:
    """Plain text as mdoc: no line of it is a macro, and each sentence begins one."""
    text = re.sub(r"\. +(?=[A-Z])", ".\n", text)
    lines = text.replace("\\", "\\e").replace("-", "\\-").split("\n")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in lines)


def type_name(kind: Type) -> str:
    prefix = "?" if kind.nullable else ""
    if kind.kind == "array":
        assert kind.element is not None
        return f"{prefix}[]{type_name(kind.element)}"
    if kind.kind == "dict":
        assert kind.element is not None
        return f"{prefix}[string]{type_name(kind.element)}"
    return prefix + (kind.name or kind.kind)


def describe_field(field: Field) -> str:
    notes = [NOTE_NAMES[key].format(value) for key, value in field.doc.notes.items() if key in NOTE_NAMES]
    text = [escape(field.doc.text)] if field.doc.text else []
    if notes:
        text.append(escape(", ".join(notes)).capitalize() + ".")
    return f".It Va {field.name} : Li \\&{escape(type_name(field.type))}\n" + "".join(f"{line}\n" for line in text)


def describe_fields(title: str, fields: list[Field]) -> str:
    if not fields:
        return ""
    return f".Pp\n{title}:\n.Bl -tag -width Ds -compact\n{''.join(map(describe_field, fields))}.El\n"


def describe_method(method: Method) -> str:
    notes = method.doc.notes
    facts = [f"Needs the role {notes['role']}."]
    if notes["effect"] != "read":
        facts.append("Changes something." if notes["effect"] == "change" else "Takes something back.")
    if "more" in notes:
        facts.append("May answer several times.")
    if notes.get("fails"):
        facts.append(f"Fails with {notes['fails']}.")
    return (
        f".Ss {method.name}\n"
        + (escape(method.doc.text) + "\n" if method.doc.text else "")
        + escape(" ".join(facts))
        + "\n"
        + describe_fields("Parameters", method.call)
        + describe_fields("Reply", method.reply)
    )


def describe_types(interface: Interface) -> str:
    text = ""
    for definition in interface.types:
        text += f".Ss Type {definition.name}\n"
        if definition.doc.text:
            text += escape(definition.doc.text) + "\n"
        if definition.values is not None:
            text += "One of " + escape(", ".join(definition.values)) + ".\n"
        else:
            text += describe_fields("Fields", definition.fields or [])
    return text


def describe_errors(interface: Interface) -> str:
    text = ""
    for error in interface.errors:
        text += f".Ss Error {error.name}\n"
        if error.doc.text:
            text += escape(error.doc.text) + "\n"
        text += describe_fields("Parameters", error.fields)
    return text


def describe_interface(interface: Interface) -> str:
    doc = escape(interface.doc.text) + "\n" if interface.doc.text else ""
    methods = "".join(map(describe_method, interface.methods))
    return f".Sh {interface.name}\n{doc}{methods}{describe_types(interface)}{describe_errors(interface)}"


def emit(schema: Schema, output: str) -> None:
    public = [i for i in schema.interfaces if i.is_ours and not i.is_private]
    text = HEAD + "".join(map(describe_interface, public)) + TAIL
    # An empty line is no paragraph in mdoc, and a section begins without one.
    text = re.sub(r"(\n\.Ss [^\n]*\n)\.Pp\n", r"\1", text.replace("\n\n", "\n.Pp\n"))
    Path(output).write_text(text, encoding="utf-8")
