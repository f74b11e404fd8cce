# SPDX-License-Identifier: LGPL-2.1-or-later
"""The methods that a service describes of itself, with the rules of their parameters."""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

from .varlink import Connection

FIELD = re.compile(r"((?:^ *#.*\n)*)^ *(\w+): (\??)(\[\]|\[string\])?(\w+)", re.MULTILINE)
METHOD = re.compile(r"((?:^#[^\n]*\n)*)^method (\w+)\((.*?)\) -> ", re.MULTILINE | re.DOTALL)

# What a call cannot do without, of things that are not there.
ABSENT: dict[str, Any] = {
    "instance": "nobody",
    "operation": "00000000-0000-4000-8000-000000000000",
    "group": "nobody",
    "max": 1,
    "count": 1,
    "value": "1",
    "until": "running",
    "template": "none",
    "host": "none",
    "labels": {},
    "source": "none",
    "topic": "recovered",
    "tenant": "nobody",
    "kind": "uid",
    "id": 4294967294,
    "role": "viewer",
    "name": "none",
    "token": "none",
    "secret": "none",
    "note": "{}",
    "as_of": "2026-11-01T00:00:00Z",
    # An entry of the books that is not the newest.
    "follows": 9007199254740991,
}


class Field(NamedTuple):
    """One parameter of a method."""

    method: str
    name: str
    is_needed: bool
    list_of: str
    kind: str
    notes: dict[str, str]


class Method(NamedTuple):
    """One method: its full name, its parameters, and the errors that its notes name."""

    name: str
    fields: list[Field]
    fails: set[str]

    def absent(self) -> dict[str, Any]:
        """Good parameters that change nothing."""
        if self.name == "io.vmctl.Group.Create":
            return {"group": "made", "max": 1, "template": "none"}
        parameters = {field.name: ABSENT[field.name] for field in self.fields if field.is_needed and field.name in ABSENT}
        names = {field.name for field in self.fields}
        if "dry_run" in names:
            parameters["dry_run"] = True
        # One that is there cannot be made, and of one that is not nothing can be changed.
        if self.name.startswith("io.vmctl.Tenant.") and "tenant" in names:
            parameters["tenant"] = "default" if self.name.endswith(".Create") else ABSENT["tenant"]
        return parameters


def read_field(method: str, found: tuple[str, ...]) -> Field:
    comment, name, nullable, list_of, kind = found
    return Field(method, name, not nullable, list_of, kind, dict(re.findall(r"@([\w-]+) (\S+)", comment)))


@functools.cache
def read_methods(socket: str) -> list[Method]:
    """Every method of our own interfaces that is served at socket."""
    methods = []
    with Connection(socket) as connection:
        for interface in connection.call("org.varlink.service.GetInfo")["interfaces"]:
            if interface == "org.varlink.service":
                continue
            text = connection.call("org.varlink.service.GetInterfaceDescription", interface=interface)["description"]
            for comment, short, parameters in METHOD.findall(text):
                name = f"{interface}.{short}"
                fields = [read_field(name, found) for found in FIELD.findall(parameters)]
                fails = re.search(r"@fails (.*)", comment)
                names = fails[1].split(", ") if fails else []
                methods.append(Method(name, fields, {f"io.vmctl.{error}" for error in names}))
    return methods
