# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads varlink interface files and checks them by our rules.

What it gives: a Schema of Interfaces with their types, methods and errors, each with its comment and the notes in it
(`@role`, `@effect`, `@fails`, `@min`, ...).  Every complaint is a SchemaError that names file and line.
The grammar is varlink's: https://varlink.org/Interface-Definition
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

INTERFACE_NAME = re.compile(r"[A-Za-z](-*[A-Za-z0-9])*(\.[A-Za-z0-9](-*[A-Za-z0-9])*)+")
FIELD_NAME = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*")
MEMBER_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
TOKEN = re.compile(
    r"(?P<space>[ \t]+)|(?P<line>\r?\n)|(?P<comment>#[^\r\n]*)|(?P<arrow>->)"
    r"|(?P<dict>\[string\])|(?P<array>\[\])|(?P<punctuation>[(),:?])|(?P<word>[A-Za-z][A-Za-z0-9_.-]*)"
)
PRIMITIVES = ("bool", "int", "string", "float", "object")
ROLES = ("billing", "viewer", "operator", "tenant-admin", "admin")
EFFECTS = ("read", "change", "release")
FORMATS = ("name", "uuid", "request-id", "version", "time", "decimal", "base64")
NOTES = {
    "interface": {"private", "prefix"},
    "type": set(),
    "method": {"role", "effect", "fails", "more", "idempotent"},
    "error": set(),
    "field": {"min", "max", "max-length", "max-items", "format"},
}


class SchemaError(Exception):
    """A fault of a schema file, with where it is."""

    def __init__(self, path: str, line: int, text: str) -> None:
        super().__init__(f"{path}:{line}: {text}")


@dataclass
class Type:
    """What a field holds: kind is a primitive's name, "named", "array" or "dict"."""

    kind: str
    name: str = ""
    element: Type | None = None
    nullable: bool = False


@dataclass
class Doc:
    text: str = ""
    notes: dict[str, str] = field(default_factory=dict)


@dataclass
class Field:
    name: str
    type: Type
    doc: Doc
    line: int


@dataclass
class TypeDef:
    """A struct (fields) or an enum (values)."""

    name: str
    doc: Doc
    line: int
    fields: list[Field] | None = None
    values: list[str] | None = None


@dataclass
class Method:
    name: str
    doc: Doc
    line: int
    call: list[Field]
    reply: list[Field]


@dataclass
class ErrorDef:
    name: str
    doc: Doc
    line: int
    fields: list[Field]


@dataclass
class Interface:
    name: str
    path: str
    text: str
    doc: Doc
    types: list[TypeDef] = field(default_factory=list)
    methods: list[Method] = field(default_factory=list)
    errors: list[ErrorDef] = field(default_factory=list)

    @property
    def is_private(self) -> bool:
        return "private" in self.doc.notes

    @property
    def is_ours(self) -> bool:
        return self.name.startswith("io.vmctl")

    @property
    def prefix(self) -> str:
        """What the C names of this interface begin with."""
        if "prefix" in self.doc.notes:
            return self.doc.notes["prefix"]
        last = self.name.rsplit(".", 1)[1]
        return last[0].upper() + last[1:]


@dataclass
class Token:
    kind: str
    text: str
    line: int
    doc: Doc


def read_doc(comments: list[str]) -> Doc:
    """The prose and the notes of the comment lines that stand before something."""
    doc = Doc()
    prose: list[str] = []
    for comment in comments:
        line = comment[1:].strip()
        if line.startswith("@"):
            for note in re.split(r"\s+(?=@)", line):
                key, _, value = note[1:].partition(" ")
                doc.notes[key] = value.strip()
        else:
            prose.append(line)
    doc.text = "\n".join(prose).strip()
    return doc


def tokenize(path: str, text: str) -> list[Token]:
    tokens: list[Token] = []
    comments: list[str] = []
    position = 0
    line = 1
    blank = False
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise SchemaError(path, line, f"unexpected character {text[position]!r}")
        kind = match.lastgroup or ""
        position = match.end()
        if kind == "line":
            line += 1
            # An empty line parts a comment from what follows.
            if blank and tokens:
                comments = []
            blank = True
            continue
        if kind == "space":
            continue
        blank = False
        if kind == "comment":
            comments.append(match.group())
            continue
        tokens.append(Token(kind, match.group(), line, read_doc(comments)))
        comments = []
    tokens.append(Token("end", "the end of the file", line, Doc()))
    return tokens


class Parser:
    """Recursive descent over the tokens of one file."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.tokens = tokenize(path, text)
        self.position = 0

    def fail(self, line: int, text: str) -> SchemaError:
        return SchemaError(self.path, line, text)

    def peek(self) -> Token:
        return self.tokens[self.position]

    def next(self) -> Token:
        token = self.tokens[self.position]
        if token.kind != "end":
            self.position += 1
        return token

    def expect(self, text: str) -> Token:
        token = self.next()
        if token.text != text:
            raise self.fail(token.line, f"expected {text!r}, found {token.text!r}")
        return token

    def accept(self, text: str) -> bool:
        if self.peek().text != text:
            return False
        self.position += 1
        return True

    def word(self, pattern: re.Pattern[str], what: str) -> Token:
        token = self.next()
        if token.kind != "word" or not pattern.fullmatch(token.text):
            raise self.fail(token.line, f"expected {what}, found {token.text!r}")
        return token

    def type(self) -> Type:
        token = self.next()
        if token.text == "?":
            inner = self.type()
            if inner.nullable:
                raise self.fail(token.line, "a type cannot be nullable twice")
            inner.nullable = True
            return inner
        if token.kind == "array":
            return Type("array", element=self.type())
        if token.kind == "dict":
            return Type("dict", element=self.type())
        if token.text in PRIMITIVES:
            return Type(token.text)
        if token.kind == "word" and MEMBER_NAME.fullmatch(token.text):
            return Type("named", name=token.text)
        if token.text == "(":
            raise self.fail(token.line, "a struct or enum within a field: give it a name of its own")
        raise self.fail(token.line, f"expected a type, found {token.text!r}")

    def fields(self) -> list[Field]:
        self.expect("(")
        fields: list[Field] = []
        while not self.accept(")"):
            if fields:
                self.expect(",")
            name = self.word(FIELD_NAME, "the name of a field")
            self.expect(":")
            if any(other.name == name.text for other in fields):
                raise self.fail(name.line, f"field {name.text!r} stands twice")
            fields.append(Field(name.text, self.type(), name.doc, name.line))
        return fields

    def enum_or_struct(self, name: Token, doc: Doc) -> TypeDef:
        after = self.tokens[self.position + 2].text
        if after == ":" or self.tokens[self.position + 1].text == ")":
            return TypeDef(name.text, doc, name.line, fields=self.fields())
        self.expect("(")
        values: list[str] = []
        while not self.accept(")"):
            if values:
                self.expect(",")
            value = self.word(FIELD_NAME, "a value of the enum")
            if value.text in values:
                raise self.fail(value.line, f"value {value.text!r} stands twice")
            values.append(value.text)
        return TypeDef(name.text, doc, name.line, values=values)

    def interface(self, text: str) -> Interface:
        keyword = self.expect("interface")
        name = self.word(INTERFACE_NAME, "the name of an interface")
        interface = Interface(name.text, self.path, text, keyword.doc)
        while self.peek().kind != "end":
            self.member(interface)
        return interface

    def member(self, interface: Interface) -> None:
        keyword = self.next()
        if keyword.text not in ("type", "method", "error"):
            raise self.fail(keyword.line, f"expected type, method or error, found {keyword.text!r}")
        name = self.word(MEMBER_NAME, f"the name of the {keyword.text}")
        if keyword.text == "type":
            interface.types.append(self.enum_or_struct(name, keyword.doc))
        elif keyword.text == "error":
            interface.errors.append(ErrorDef(name.text, keyword.doc, name.line, self.fields()))
        else:
            call = self.fields()
            self.expect("->")
            interface.methods.append(Method(name.text, keyword.doc, name.line, call, self.fields()))


@dataclass
class Schema:
    interfaces: list[Interface]

    def find_type(self, name: str) -> TypeDef | None:
        for interface in self.interfaces:
            for definition in interface.types:
                if definition.name == name:
                    return definition
        return None

    def is_enum(self, kind: Type) -> bool:
        definition = self.find_type(kind.name) if kind.kind == "named" else None
        return definition is not None and definition.values is not None


def check_notes(path: str, line: int, what: str, doc: Doc) -> None:
    for key in doc.notes:
        if key not in NOTES[what]:
            known = ", ".join(sorted(NOTES[what])) or "none"
            raise SchemaError(path, line, f"note @{key} is not known on a {what} (known: {known})")


def check_type(schema: Schema, interface: Interface, owner: Field, kind: Type) -> None:
    def fail(text: str) -> SchemaError:
        return SchemaError(interface.path, owner.line, f"field {owner.name!r}: {text}")

    if kind.kind in ("float", "object"):
        raise fail(f"type {kind.kind!r} is not used here: numbers are int, or a decimal string")
    if kind.kind == "named":
        home = [i for i in schema.interfaces if any(t.name == kind.name for t in i.types)]
        if not home:
            raise fail(f"type {kind.name!r} is not defined")
        if home[0] is not interface and not interface.is_private:
            raise fail(f"type {kind.name!r} belongs to {home[0].name}: varlink knows no types of other interfaces")
    if kind.kind == "dict" and (kind.element is None or kind.element != Type("string")):
        raise fail("a dict holds strings here")
    if kind.kind == "array":
        element = kind.element
        assert element is not None
        if element.nullable or element.kind not in ("string", "named") or schema.is_enum(element):
            raise fail("an array holds strings or structs here")
        if element.kind == "named" and kind.nullable:
            raise fail("an array of structs cannot be null: leave it empty")
        check_type(schema, interface, owner, element)


def check_field(schema: Schema, interface: Interface, owner: Field) -> None:
    check_notes(interface.path, owner.line, "field", owner.doc)
    check_type(schema, interface, owner, owner.type)
    notes = owner.doc.notes
    for key in ("min", "max", "max-length", "max-items"):
        if key in notes and not re.fullmatch(r"-?[0-9]+", notes[key]):
            raise SchemaError(interface.path, owner.line, f"@{key} wants a whole number, not {notes[key]!r}")
    if ("min" in notes or "max" in notes) and owner.type.kind != "int":
        raise SchemaError(interface.path, owner.line, f"field {owner.name!r}: @min and @max go with an int")
    if "format" in notes and notes["format"] not in FORMATS:
        raise SchemaError(interface.path, owner.line, f"@format {notes['format']!r} is not one of {', '.join(FORMATS)}")


def check_method(schema: Schema, interface: Interface, method: Method) -> None:
    def fail(text: str) -> SchemaError:
        return SchemaError(interface.path, method.line, f"method {method.name}: {text}")

    notes = method.doc.notes
    check_notes(interface.path, method.line, "method", method.doc)
    if notes.get("role") not in ROLES:
        raise fail(f"needs a note @role, one of {', '.join(ROLES)}")
    if notes.get("effect") not in EFFECTS:
        raise fail(f"needs a note @effect, one of {', '.join(EFFECTS)}")
    names = {f"{i.name}.{e.name}" for i in schema.interfaces for e in i.errors}
    for name in filter(None, (n.strip() for n in notes.get("fails", "").split(","))):
        if name not in names and f"io.vmctl.{name}" not in names:
            raise fail(f"@fails names {name!r}, which is no error of the schema")
    if notes["effect"] != "read" and not interface.is_private and "idempotent" not in notes:
        if not any(f.name == "request_id" and f.type == Type("string", nullable=True) for f in method.call):
            raise fail("changes something, so it takes request_id: ?string (or is noted @idempotent)")


def check(schema: Schema) -> None:
    seen: dict[str, str] = {}
    for interface in schema.interfaces:
        check_notes(interface.path, 1, "interface", interface.doc)
        for definition in interface.types:
            check_notes(interface.path, definition.line, "type", definition.doc)
            if definition.name in seen:
                raise SchemaError(
                    interface.path, definition.line, f"type {definition.name!r} is already in {seen[definition.name]}"
                )
            seen[definition.name] = interface.path
        members = [(m.name, m.line) for m in [*interface.methods, *interface.errors]]
        for index, (name, line) in enumerate(members):
            if any(name == other for other, _ in members[:index]):
                raise SchemaError(interface.path, line, f"{name!r} stands twice")
        structs = [t.fields for t in interface.types if t.fields is not None]
        structs += [m.call for m in interface.methods] + [m.reply for m in interface.methods]
        structs += [e.fields for e in interface.errors]
        for owner in (f for fields in structs for f in fields):
            check_field(schema, interface, owner)
        for method in interface.methods:
            check_method(schema, interface, method)
        for error in interface.errors:
            check_notes(interface.path, error.line, "error", error.doc)


def load(paths: list[str]) -> Schema:
    """Reads and checks files that belong together."""
    interfaces = []
    for path in paths:
        text = Path(path).read_text(encoding="utf-8")
        interfaces.append(Parser(Path(path).name, text).interface(text))
    schema = Schema(interfaces)
    check(schema)
    return schema
