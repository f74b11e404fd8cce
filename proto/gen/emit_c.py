# SPDX-License-Identifier: LGPL-2.1-or-later
"""proto.h and proto.c: structs, their descriptions, method tables and error setters.

How a field stands in C is written in wire/schema.h.
"""

from __future__ import annotations

import re
from pathlib import Path

from idl import ErrorDef, Field, Interface, Method, Schema, Type

HEAD = "/* SPDX-License-Identifier: LGPL-2.1-or-later */\n/* Generated from proto/ *.varlink by proto/gen. */\n"
KEYWORDS = {
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
    "float", "for", "goto", "if", "inline", "int", "long", "register", "return", "short", "signed", "sizeof",
    "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while",
}  # fmt: skip


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def c_name(name: str) -> str:
    return name + "_" if name in KEYWORDS else name


def c_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return "\n".join(f'    "{line}\\n"' for line in escaped.split("\n")[:-1]) or '    ""'


def comment(text: str, indent: str = "") -> str:
    if not text:
        return ""
    body = f"\n{indent} * ".join(text.replace("*/", "* /").split("\n"))
    return f"{indent}/** {body} */\n"


class Emitter:
    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.header: list[str] = []
        self.source: list[str] = []

    # Fields

    def members(self, owner: Field) -> list[str]:
        """The C declarations of one field."""
        kind, name = owner.type, c_name(owner.name)
        if kind.kind == "string":
            return [f"char *{name};"]
        if kind.kind == "dict" or (kind.kind == "array" and kind.element == Type("string")):
            return [f"char **{name};"]
        if kind.kind == "array":
            assert kind.element is not None
            return [f"Proto{kind.element.name} *{name};", f"gsize n_{owner.name};"]
        has = [f"bool has_{owner.name};"] if kind.nullable else []
        if kind.kind == "int":
            return [*has, f"gint64 {name};"]
        if kind.kind == "bool":
            return [*has, f"bool {name};"]
        if self.schema.is_enum(kind):
            return [*has, f"{kind.name} {name};"]
        return [f"Proto{kind.name} {'*' if kind.nullable else ''}{name};"]

    def describe(self, struct: str, owner: Field) -> str:
        """The WireField of one field."""
        kind, notes, name = owner.type, owner.doc.notes, c_name(owner.name)
        entries = [f'.name = "{owner.name}"', f".offset = offsetof({struct}, {name})"]
        wire = {"int": "WIRE_INT", "bool": "WIRE_BOOL", "string": "WIRE_STRING", "dict": "WIRE_DICT"}.get(kind.kind)
        if kind.kind == "array":
            assert kind.element is not None
            wire = "WIRE_STRINGS" if kind.element.kind == "string" else "WIRE_STRUCTS"
            if wire == "WIRE_STRUCTS":
                entries.append(f".count_offset = offsetof({struct}, n_{owner.name})")
                entries.append(f".structure = &proto_{snake(kind.element.name)}_type")
        elif kind.kind == "named" and self.schema.is_enum(kind):
            wire = "WIRE_ENUM"
            entries.append(f".enumeration = &{snake(kind.name)}_enum")
        elif kind.kind == "named":
            wire = "WIRE_STRUCT"
            entries.append(f".structure = &proto_{snake(kind.name)}_type")
        entries.insert(1, f".kind = {wire}")
        if kind.nullable:
            entries.append(".nullable = true")
            if wire in ("WIRE_INT", "WIRE_BOOL", "WIRE_ENUM"):
                entries.append(f".has_offset = offsetof({struct}, has_{owner.name})")
        if wire == "WIRE_INT":
            entries.append(f".minimum = {self.limit(notes.get('min'), 'G_MININT64')}")
            entries.append(f".maximum = {self.limit(notes.get('max'), 'G_MAXINT64')}")
        for key, member in (("max-length", "max_length"), ("max-items", "max_items")):
            if key in notes:
                entries.append(f".{member} = {notes[key]}")
        if "format" in notes:
            entries.append(f".format = WIRE_FORMAT_{notes['format'].upper().replace('-', '_')}")
        return "    { " + ", ".join(entries) + " },"

    @staticmethod
    def limit(value: str | None, default: str) -> str:
        return default if value is None else f"G_GINT64_CONSTANT({value})"

    # Structs and enums

    def struct(self, name: str, wire_name: str, fields: list[Field], text: str) -> None:
        """One struct with its description, clear and copy."""
        low = snake(name)
        body = "".join(
            comment(f.doc.text, "    ") + "".join(f"    {line}\n" for line in self.members(f)) for f in fields
        )
        self.header.append(f"{comment(text)}typedef struct {{\n{body or '    char empty;' + chr(10)}}} {name};\n")
        self.header.append(f"extern const WireStruct {low}_type;\n")
        self.header.append(f"void {low}_clear({name} *value);\nvoid {low}_copy(const {name} *value, {name} *ret_copy);\n")
        self.header.append(f"G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC({name}, {low}_clear)\n\n")
        rows = "\n".join(self.describe(name, f) for f in fields)
        if fields:
            self.source.append(f"static const WireField {low}_fields[] = {{\n{rows}\n}};\n")
        self.source.append(
            f'const WireStruct {low}_type = {{ "{wire_name}", sizeof({name}), '
            f"{low + '_fields' if fields else 'NULL'}, {len(fields)} }};\n\n"
            f"void\n{low}_clear({name} *value)\n{{\n    wire_struct_clear(&{low}_type, value);\n}}\n\n"
            f"void\n{low}_copy(const {name} *value, {name} *ret_copy)\n{{\n"
            f"    wire_struct_copy(&{low}_type, value, ret_copy);\n}}\n\n"
        )

    def enum(self, name: str, values: list[str], text: str) -> None:
        low, up = snake(name), snake(name).upper()
        lines = "".join(f"    {up}_{value.upper()},\n" for value in values)
        self.header.append(
            f"{comment(text)}typedef enum {{\n{lines}    {up}_N,\n}} {name};\n"
            f"extern const WireEnum {low}_enum;\n"
            f"const char *{low}_to_string({name} value);\n"
            f"bool {low}_from_string(const char *text, {name} *ret_value);\n\n"
        )
        words = ", ".join(f'"{value}"' for value in values)
        self.source.append(
            f"static const char *const {low}_words[] = {{ {words}, NULL }};\n"
            f'const WireEnum {low}_enum = {{ "{name}", {low}_words, {len(values)} }};\n\n'
            f"const char *\n{low}_to_string({name} value)\n{{\n"
            f"    return (gsize) value < {len(values)} ? {low}_words[value] : \"invalid\";\n}}\n\n"
            f"bool\n{low}_from_string(const char *text, {name} *ret_value)\n{{\n"
            f"    int index = wire_enum_from_string(&{low}_enum, text);\n\n"
            f"    if (index < 0)\n        return false;\n"
            f"    *ret_value = ({name}) index;\n    return true;\n}}\n\n"
        )

    def types(self) -> None:
        """Enums first, then structs so that each stands after those it holds by value."""
        definitions = [t for i in self.schema.interfaces for t in i.types]
        for definition in definitions:
            if definition.values is not None:
                self.enum(definition.name, definition.values, definition.doc.text)
        done: set[str] = set()

        def visit(name: str) -> None:
            definition = self.schema.find_type(name)
            if definition is None or definition.fields is None or name in done:
                return
            done.add(name)
            for owner in definition.fields:
                kind = owner.type.element or owner.type
                if kind.kind == "named":
                    visit(kind.name)
            self.struct("Proto" + name, name, definition.fields, definition.doc.text)

        for definition in definitions:
            visit(definition.name)

    # Errors

    @staticmethod
    def error_code(interface: Interface, error: ErrorDef) -> str:
        middle = "" if interface.name == "io.vmctl" else interface.prefix.upper() + "_"
        return f"PROTO_ERROR_{middle}{snake(error.name).upper()}"

    def errors(self) -> None:
        every = [(i, e) for i in self.schema.interfaces for e in i.errors]
        codes = "".join(f"{comment(e.doc.text, '    ')}    {self.error_code(i, e)},\n" for i, e in every)
        self.header.append(f"/** The codes of the domain PROTO_ERROR. */\ntypedef enum {{\n{codes}}} ProtoErrorCode;\n")
        self.header.append(
            "extern const WireErrorType proto_error_types[];\nextern const gsize proto_n_error_types;\n\n"
        )
        rows = ""
        for interface, error in every:
            code = self.error_code(interface, error)
            low = code.lower()
            struct = "ProtoError" + ("" if interface.name == "io.vmctl" else interface.prefix) + error.name
            fields = [f for f in error.fields if f.name != "message"]
            self.struct(struct, error.name, fields, "")
            self.setter(struct, low, code, fields)
            rows += f'    {{ "{interface.name}.{error.name}", {code}, &{snake(struct)}_type }},\n'
        self.source.append(
            f"const WireErrorType proto_error_types[] = {{\n{rows}}};\n"
            "const gsize proto_n_error_types = G_N_ELEMENTS(proto_error_types);\n\n"
        )

    def setter(self, struct: str, low: str, code: str, fields: list[Field]) -> None:
        function = low.replace("proto_error_", "proto_error_set_")
        parameters, values = "", ""
        for owner in fields:
            name = c_name(owner.name)
            if owner.type.kind == "array" and owner.type.element != Type("string"):
                assert owner.type.element is not None
                plain = f"Proto{owner.type.element.name} *"
                parameters += f"const {plain}{name}, gsize n_{owner.name}, "
                values += f".{name} = ({plain}) (gsize) {name}, .n_{owner.name} = n_{owner.name}, "
            elif owner.type.kind == "string":
                parameters += f"const char *{name}, "
                values += f".{name} = (char *) (gsize) {name}, "
            elif owner.type.kind == "int":
                parameters += f"gint64 {name}, "
                values += f".{name} = {name}, "
            else:
                parameters += f"{owner.type.name} {name}, "
                values += f".{name} = {name}, "
        place = 2 + len(re.findall(",", parameters))
        signature = f"{function}(GError **error, {parameters}const char *format, ...)"
        self.header.append(f"void {signature}\n    G_GNUC_PRINTF({place}, {place + 1});\n\n")
        self.source.append(
            f"void\n{signature}\n{{\n    {struct} parameters = {{ {values or '.empty = 0 '}}};\n    va_list arguments;\n\n"
            f"    va_start(arguments, format);\n"
            f"    wire_error_set_valist(error, {code}, &parameters, format, arguments);\n"
            f"    va_end(arguments);\n}}\n\n"
        )

    # Interfaces

    def method(self, interface: Interface, method: Method) -> str:
        """The structs, trampoline and description of a method; returns its row."""
        base = f"Proto{interface.prefix}{method.name}"
        low = snake(base)
        self.struct(base + "Call", interface.name + "." + method.name, method.call, method.doc.text)
        self.struct(base + "Reply", interface.name + "." + method.name, method.reply, "")
        notes = method.doc.notes
        self.header.append(f"extern const WireMethod {low};\n\n")
        handlers = f"Proto{interface.prefix}Handlers"
        self.source.append(
            f"static void\ndispatch_{low}(WireCall *call, const void *handlers, const void *in)\n{{\n"
            f"    ((const {handlers} *) handlers)->{c_name(snake(method.name))}(call, in);\n}}\n\n"
        )
        row = (
            f'{{ .name = "{method.name}", .full_name = "{interface.name}.{method.name}", '
            f".call = &{low}_call_type, .reply = &{low}_reply_type, "
            f".role = ROLE_{notes['role'].upper().replace('-', '_')}, "
            f".effect = WIRE_EFFECT_{notes['effect'].upper()}, "
            f".more = {'true' if 'more' in notes else 'false'}, .dispatch = dispatch_{low} }}"
        )
        self.source.append(f"const WireMethod {low} = {row};\n\n")
        return "    " + row + ",\n"

    def interface(self, interface: Interface) -> None:
        low = snake("Proto" + interface.prefix)
        rows = "".join(self.method(interface, m) for m in interface.methods)
        if interface.methods:
            entries = "".join(
                f"    void (*{c_name(snake(m.name))})(WireCall *call, const Proto{interface.prefix}{m.name}Call *in);\n"
                for m in interface.methods
            )
            self.header.append(f"typedef struct {{\n{entries}}} Proto{interface.prefix}Handlers;\n")
            self.source.append(f"static const WireMethod {low}_methods[] = {{\n{rows}}};\n")
        self.header.append(f"extern const WireInterface {low}_interface;\n\n")
        self.source.append(
            f"const WireInterface {low}_interface = {{\n    .name = \"{interface.name}\",\n"
            f"    .description =\n{c_string(interface.text)},\n"
            f"    .is_private = {'true' if interface.is_private else 'false'},\n"
            f"    .methods = {low + '_methods' if interface.methods else 'NULL'},\n"
            f"    .n_methods = {len(interface.methods)},\n}};\n\n"
        )

    def run(self) -> tuple[str, str]:
        self.types()
        self.errors()
        for interface in self.schema.interfaces:
            self.interface(interface)
        names = "".join(f"    &{snake('Proto' + i.prefix)}_interface,\n" for i in self.schema.interfaces)
        self.header.append("extern const WireInterface *const proto_interfaces[];\nextern const gsize proto_n_interfaces;\n")
        self.source.append(
            f"const WireInterface *const proto_interfaces[] = {{\n{names}}};\n"
            "const gsize proto_n_interfaces = G_N_ELEMENTS(proto_interfaces);\n"
        )
        includes = '#include <stddef.h>\n\n#include "wire/error.h"\n#include "wire/schema.h"\n\n'
        header = HEAD + "#pragma once\n\n" + includes + "".join(self.header)
        return header, HEAD + '#include "proto.h"\n\n' + "".join(self.source)


def emit(schema: Schema, output: str) -> None:
    header, source = Emitter(schema).run()
    Path(output, "proto.h").write_text(header, encoding="utf-8")
    Path(output, "proto.c").write_text(source, encoding="utf-8")
