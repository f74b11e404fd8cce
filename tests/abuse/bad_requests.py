# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes bad requests of every method out of what the service says of itself: each with where the fault is."""

from __future__ import annotations

import json
import random
from typing import Any, Callable, NamedTuple

from lib.served import Field, Method
from payloads import NAME, make_name, make_text

WRONG = {
    "string": ("1", "-1", "true", "[]", "{}", '["a"]', '{"a":"b"}', "9223372036854775807"),
    "int": ('"1"', '""', "true", "false", "[]", "{}", "[1]", '{"a":1}', '"0x10"'),
    "bool": ("0", "1", '"true"', '"yes"', '""', "[]", "{}", "[true]"),
}
# What the guard refuses in the place of a value.
BROKEN = (
    b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', b'"\\ud800"',
    b'"\\udc00\\ud800"', b'"\\ud800\\u0041"', b'"\\u0000"', b'"a\\u0000b"', b'"\x01"', b'"\n"', b'"\\x41"', b'"\\"',
    b'"', b"'a'", b"01", b"-", b"+1", b"1.0", b"1e3", b"0x10", b".5", b"NaN", b"Infinity", b"9223372036854775808",
    b"-9223372036854775809", b"1" * 400, b"tru", b"nulll", b"[1,]", b"{,}", b'{"a":1,"a":2}', b"[" * 9 + b"]" * 9,
    b'{"a":' * 7 + b"{}" + b"}" * 7, b"/**/1", b"1//", b"\xef\xbb\xbf1", b"", b"[0" + b",0" * 4096 + b"]",
    b'"' + b"a" * 49153 + b'"', b"{" + b",".join(b'"%d":0' % number for number in range(65)) + b"}",
)


class Bad(NamedTuple):
    """A request; path says what has to be complained about ("message": the text itself), None that it may be good."""

    text: bytes
    kind: str
    method: Method
    path: str | None


def is_good_text(field: Field, text: str) -> bool:
    """Whether the schema lets a text pass; what it means is another matter."""
    rule = field.notes.get("format", "")
    most = int(field.notes.get("max-length", "49152"))
    if "\0" in text or len(text.encode()) > most:
        return False
    return bool(NAME.fullmatch(text)) if rule == "name" else rule == ""


def envelope(method: Method, parameters: dict[str, Any], name: str = "", literal: bytes = b"") -> bytes:
    """A call; with a name, its parameter is this literal."""
    rest = {key: value for key, value in parameters.items() if key != name}
    texts = [json.dumps(key).encode() + b":" + json.dumps(value).encode() for key, value in rest.items()]
    if name:
        texts.append(json.dumps(name).encode() + b":" + literal)
    return b'{"method":"%s","parameters":{%s}}' % (method.name.encode(), b",".join(texts))


def in_list(field: Field, literal: str) -> str:
    if field.list_of == "[]":
        return f"[{literal}]"
    return f'{{"k":{literal}}}' if field.list_of else literal


def any_field(dice: random.Random, method: Method, wanted: Callable[[Field], bool]) -> Field | None:
    fields = [field for field in method.fields if wanted(field)]
    return dice.choice(fields) if fields else None


def bad_value(kind: str, method: Method, field: Field, literal: str) -> Bad:
    text = envelope(method, method.absent(), field.name, literal.encode())
    return Bad(text, kind, method, f"parameters.{field.name}")


def wrong_type(dice: random.Random, method: Method) -> Bad | None:
    field = any_field(dice, method, lambda _: True)
    if field is None:
        return None
    literal = dice.choice(WRONG.get(field.kind, WRONG["string"]))
    if field.list_of:
        literal = dice.choice(("1", "true", '"x"', in_list(field, dice.choice(("1", "true", "[]", "{}", "null")))))
    return bad_value("wrong type", method, field, literal)


def missing(dice: random.Random, method: Method) -> Bad | None:
    field = any_field(dice, method, lambda field: field.is_needed)
    if field is None:
        return None
    parameters = method.absent()
    if dice.randrange(2):
        parameters[field.name] = None
    else:
        parameters.pop(field.name, None)
    return Bad(envelope(method, parameters), "missing", method, f"parameters.{field.name}")


def unknown(dice: random.Random, method: Method) -> Bad:
    name = dice.choice((make_name(dice), make_text(dice), "x", "Instance", "tenant_id", "__proto__")).replace("\0", "")[:900]
    if any(field.name == name for field in method.fields):
        name += "_"
    value = json.dumps(dice.choice((None, 1, "x", [], {}, True))).encode()
    return Bad(envelope(method, method.absent(), name or "_", value), "unknown", method, "parameters")


def out_of_bounds(dice: random.Random, method: Method) -> Bad | None:
    field = any_field(dice, method, lambda field: field.kind == "int" and "min" in field.notes)
    if field is None:
        return None
    least, most = int(field.notes["min"]), int(field.notes["max"])
    choices = [least - 1, least - 2**32, -(2**63), most + 1, most + 2**32, 2**63 - 1]
    value = dice.choice([value for value in choices if not least <= value <= most and -(2**63) <= value < 2**63])
    return bad_value("out of bounds", method, field, str(value))


def too_long(dice: random.Random, method: Method) -> Bad | None:
    field = any_field(dice, method, lambda field: field.kind == "string" and "max-length" in field.notes)
    if field is None:
        return None
    text = json.dumps("a" * (int(field.notes["max-length"]) + dice.choice((1, 2, 1000))))
    return bad_value("too long", method, field, in_list(field, text))


def hostile_text(dice: random.Random, method: Method) -> Bad | None:
    field = any_field(dice, method, lambda field: field.kind == "string")
    if field is None:
        return None
    rule = field.notes.get("format")
    text = (make_name if rule == "name" else make_text)(dice)
    literal = in_list(field, json.dumps(text, ensure_ascii=bool(dice.randrange(2))))
    # Some of the texts may be a request id; a key of a list has no rule.
    may_be_good = is_good_text(field, text) or (rule == "request-id" and "\0" not in text)
    if field.list_of == "[string]" and dice.randrange(2) and "\0" not in text:
        literal, may_be_good = f'{{{json.dumps(text)}: "x"}}', True
    if may_be_good and method.name.endswith("Template.Import"):
        return None
    bad = bad_value("text", method, field, literal)
    return bad._replace(path=None if may_be_good else "message" if "\0" in text else bad.path)


def broken_value(dice: random.Random, method: Method) -> Bad:
    field = any_field(dice, method, lambda _: True)
    name = field.name if field is not None else "x"
    return Bad(envelope(method, method.absent(), name, dice.choice(BROKEN)), "broken value", method, "message")


def truncated(dice: random.Random, method: Method) -> Bad:
    text = envelope(method, method.absent())
    return Bad(text[: dice.randrange(len(text))], "truncated", method, "message")


def twice(dice: random.Random, method: Method) -> Bad:
    text = envelope(method, method.absent())
    again = dice.choice((b'"method":1', b'"parameters":{}', b'"\\u006dethod":"x"', b'"p\\u0061rameters":null'))
    return Bad(text[:-1] + b"," + again + b"}", "twice", method, "message")


def bad_envelope(dice: random.Random, method: Method) -> Bad:
    name = method.name.encode()
    flag = dice.choice((b"more", b"oneway", b"upgrade"))
    strange = dice.choice((b"1", b'"x"', b"[]", b"{}", b"true", b"null"))
    rows = [
        (b'{"method":%s}' % strange.replace(b'"x"', b"0"), "method"),
        (b'{"parameters":{}}', "method"),
        (b'{"method":"%s","parameters":%s}' % (name, strange.replace(b"{}", b"1").replace(b"null", b"0")), "parameters"),
        (b'{"method":"%s","%s":%s}' % (name, flag, strange.replace(b"true", b"2")), flag.decode()),
        (b'{"method":"%s","upgrade":true}' % name, "upgrade"),
        (b'{"method":"%s","id":%s}' % (name, strange), "id"),
    ]
    text, path = dice.choice(rows)
    return Bad(text, "envelope", method, path)


def no_such_method(dice: random.Random, method: Method) -> Bad:
    name = method.name + make_text(dice).replace("\0", "")
    return Bad(b'{"method":%s}' % json.dumps(name).encode(), "no such method", method, "")


def damaged(dice: random.Random, method: Method) -> Bad | None:
    """Some bytes of a good request are others."""
    if method.name.endswith("Template.Import"):
        return None
    text = bytearray(envelope(method, method.absent()))
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(text))
        kind = dice.randrange(4)
        if kind == 0:
            text[place] = dice.randrange(1, 256)
        elif kind == 1:
            del text[place : place + dice.randint(1, 9)]
        elif kind == 2:
            text[place:place] = dice.choice([b"{", b"[", b'"', b"\\u", b"1e9", b",", b"\xf0\x9f", b"null"])
        else:
            text[place:place] = text[: dice.randrange(len(text))]
        if not text:
            return None
    return Bad(bytes(text), "damaged", method, None)


KINDS = (
    *(wrong_type, missing, unknown, out_of_bounds, too_long, hostile_text, hostile_text),
    *(broken_value, truncated, twice, bad_envelope, no_such_method, damaged),
)


def make(dice: random.Random, methods: list[Method]) -> Bad:
    while True:
        bad = dice.choice(KINDS)(dice, dice.choice(methods))
        if bad is not None:
            return bad
