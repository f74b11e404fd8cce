# SPDX-License-Identifier: LGPL-2.1-or-later
"""A strict reader of OpenMetrics 1.0, made from its specification, and a page's way here over HTTP."""

from __future__ import annotations

import http.client
import re
import socket
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Iterator

TYPES = {"counter": ("_total", "_created"), "gauge": ("",), "info": ("_info",)}
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
ABOUT = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) (.*)")
PAIR = re.compile(rf'({LABEL})="((?:[^"\\\n]|\\[n"\\])*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (-?[0-9]+(?:\.[0-9]+)?)")
ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}
Labels = tuple[tuple[str, str], ...]


@dataclass
class Family:
    name: str
    about: dict[str, str] = field(default_factory=dict)
    samples: dict[tuple[str, Labels], Decimal] = field(default_factory=dict)


def read_labels(text: str) -> Labels:
    labels, at = [], 0
    while at < len(text):
        pair = PAIR.match(text, at)
        assert pair is not None, f"not a label: {text[at:]!r}"
        labels.append((pair[1], re.sub(r"\\.", lambda found: ESCAPES[found[0]], pair[2])))
        at = pair.end()
        assert at == len(text) or text[at] == ",", f"what comes after a label: {text[at:]!r}"
        at += 1
    assert not text.endswith(","), text
    names = [name for name, _ in labels]
    assert len(set(names)) == len(names), f"a label comes twice: {names}"
    return tuple(sorted(labels))


def check_about(family: Family) -> None:
    kind = family.about.get("TYPE")
    assert kind in TYPES, f"{family.name} is of type {kind}"
    assert family.about.get("HELP"), f"{family.name} has no help"
    unit = family.about.get("UNIT")
    assert unit is None or (family.name.endswith("_" + unit) and kind != "info"), f"{family.name} is not in {unit}"
    for suffix in ("_total", "_created", "_info", "_count", "_sum", "_bucket"):
        assert not family.name.endswith(suffix), f"{family.name} ends with the suffix of a sample"


def add_sample(family: Family, line: str) -> None:
    sample = SAMPLE.fullmatch(line)
    assert sample is not None, f"not a sample: {line!r}"
    suffix = sample[1].removeprefix(family.name)
    assert sample[1].startswith(family.name), f"{line!r} stands among those of {family.name}"
    kind = family.about["TYPE"]
    assert suffix in TYPES[kind], f"{line!r} is of a {kind}"
    key = (sample[1], read_labels(sample[2] or ""))
    assert key not in family.samples, f"twice: {line!r}"
    value = Decimal(sample[3])
    assert kind != "counter" or value >= 0, line
    assert kind != "info" or value == 1, line
    family.samples[key] = value


def parse(text: str) -> dict[str, Family]:
    """The families of a page by name; fails on whatever is not OpenMetrics."""
    assert text.endswith("# EOF\n"), f"no end: {text[-40:]!r}"
    families: dict[str, Family] = {}
    current: Family | None = None
    for line in text.removesuffix("# EOF\n").splitlines():
        about = ABOUT.fullmatch(line)
        if about is None:
            assert current is not None and "TYPE" in current.about, f"a sample of no family: {line!r}"
            assert current.about["TYPE"] in TYPES, current.about
            add_sample(current, line)
            continue
        what, name, rest = about.groups()
        if current is None or current.name != name:
            assert name not in families, f"{name} is in two places"
            current = families[name] = Family(name)
        assert not current.samples, f"{line!r} comes after its samples"
        assert what not in current.about, f"twice: {line!r}"
        current.about[what] = rest
    for family in families.values():
        check_about(family)
    return families


def values(families: dict[str, Family], name: str) -> dict[Labels, Decimal]:
    """What the samples of that name are, by their labels."""
    return {
        labels: value
        for family in families.values()
        for (sample, labels), value in family.samples.items()
        if sample == name
    }


def value(families: dict[str, Family], sample: str, **labels: str) -> Decimal:
    """The one sample of that name with these labels among its own."""
    found = [
        number
        for held, number in values(families, sample).items()
        if set(labels.items()) <= set(held)
    ]
    assert len(found) == 1, f"{sample} {labels}: {found}"
    return found[0]


class UnixHttp(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float = 60) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


def request(path: str, method: str = "GET", url: str = "/metrics", **headers: str) -> Answer:
    connection = UnixHttp(path)
    try:
        connection.request(method, url, headers=headers)
        response = connection.getresponse()
        text = response.read().decode()
        return Answer(response.status, {name.lower(): text for name, text in response.getheaders()}, text)
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def scrape(path: str) -> dict[str, Family]:
    answer = request(path)
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8", answer.headers
    return parse(answer.text)


BROKEN = {
    "no end": "# TYPE a gauge\n# HELP a x\na 1\n",
    "more after the end": "# TYPE a gauge\n# HELP a x\na 1\n# EOF\n# EOF\n",
    "no type": "# HELP a x\na 1\n# EOF\n",
    "a type of no kind": "# TYPE a number\n# HELP a x\na 1\n# EOF\n",
    "no help": "# TYPE a gauge\na 1\n# EOF\n",
    "a counter without its suffix": "# TYPE a counter\n# HELP a x\na 1\n# EOF\n",
    "a family with the suffix": "# TYPE a_total counter\n# HELP a_total x\na_total 1\n# EOF\n",
    "another unit": "# TYPE a gauge\n# UNIT a seconds\n# HELP a x\na 1\n# EOF\n",
    "a family in two places": "# TYPE a gauge\n# HELP a x\na 1\n# TYPE b gauge\n# HELP b x\nb 1\n# HELP a x\n# EOF\n",
    "a sample of another family": "# TYPE a gauge\n# HELP a x\nb 1\n# EOF\n",
    "a sample twice": '# TYPE a gauge\n# HELP a x\na{b="1",c="2"} 1\na{c="2",b="1"} 1\n# EOF\n',
    "a label twice": '# TYPE a gauge\n# HELP a x\na{b="1",b="2"} 1\n# EOF\n',
    "a label that is not closed": '# TYPE a gauge\n# HELP a x\na{b="1} 1\n# EOF\n',
    "an escape of no kind": '# TYPE a gauge\n# HELP a x\na{b="\\t"} 1\n# EOF\n',
    "a value of no kind": "# TYPE a gauge\n# HELP a x\na 1,5\n# EOF\n",
    "a counter below zero": "# TYPE a counter\n# HELP a x\na_total -1\n# EOF\n",
    "an info of more than one": "# TYPE a info\n# HELP a x\na_info 2\n# EOF\n",
    "an empty line": "# TYPE a gauge\n\n# HELP a x\na 1\n# EOF\n",
}


def find_unseen() -> Iterator[str]:
    """What of BROKEN this reader takes for good."""
    for what, text in BROKEN.items():
        try:
            parse(text)
        except AssertionError:
            continue
        yield what
