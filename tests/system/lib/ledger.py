# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ledger as proto/io.vmctl.Ledger.varlink describes it, sharing nothing with ours: how a row is packed and hashed,
and what has to hold of all rows."""

from __future__ import annotations

import hashlib
from typing import Any

Row = dict[str, Any]

KINDS = ("opened", "closed", "used", "gap", "clock", "noted", "forked")
RESOURCES = ("instance", "volume", "address")
STATES = ("running", "paused", "stopped", "held")
COUNTERS = (
    "cpu_time", "disk_read_bytes", "disk_write_bytes", "disk_read_ops", "disk_write_ops", "net_rx_bytes", "net_tx_bytes",
)  # fmt: skip
# In the schema's order: a tuple is an enum's words.
FIELDS: list[tuple[str, Any]] = [
    ("seq", int), ("kind", KINDS), ("at_ms", int), ("segment", int), ("from_ms", int), ("to_ms", int), ("cause", str),
    ("counter", COUNTERS), ("device", str), ("quantity", int), ("estimated", int), ("resource_kind", RESOURCES),
    ("resource", str), ("tenant", str), ("name", str), ("labels", dict), ("template", str), ("host", str), ("state", STATES),
    ("vcpus", int), ("memory_bytes", int), ("disk_bytes", int), ("generation", int), ("boot_ms", int), ("boot_id", str),
    ("topic", str), ("note", str),
]  # fmt: skip


def number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def text(value: str) -> bytes:
    data = value.encode()
    return number(len(data)) + data


def pack(row: Row) -> bytes:
    """A row without its hash, as it is hashed."""
    mask = sum(1 << place for place, (name, _) in enumerate(FIELDS) if name in row)
    out = number(mask)
    for name, kind in FIELDS:
        if name not in row:
            continue
        value = row[name]
        if kind is int:
            out += number(2 * value if value >= 0 else -2 * value - 1)
        elif kind is str:
            out += text(value)
        elif kind is dict:
            out += number(len(value)) + b"".join(text(key) + text(value[key]) for key in sorted(value))
        else:
            out += number(kind.index(value))
    return out


def chain_begin(service_id: str) -> bytes:
    return hashlib.sha256(b"vmctl-ledger/1" + service_id.encode()).digest()


def chain_next(before: bytes, packed: bytes) -> bytes:
    leaf = hashlib.sha256(b"\0" + packed).digest()
    return hashlib.sha256(b"\1" + before + leaf).digest()


def check(rows: list[Row], service_id: str) -> dict[tuple[str, str], Row]:
    """Numbers, hashes, times and segments are right; what is open, by kind and id of its resource."""
    still_open: dict[tuple[str, str], Row] = {}
    opened: dict[int, Row] = {}
    ended: dict[tuple[str, str], int] = {}
    hash_ = chain_begin(service_id)
    at_ms = 0
    for place, row in enumerate(rows, start=1):
        assert row["seq"] == place, row
        assert row["at_ms"] >= at_ms, row
        hash_ = chain_next(hash_, pack(row))
        assert row["hash"] == hash_.hex(), row
        at_ms = row["at_ms"]
        if row["kind"] == "opened":
            key = row["resource_kind"], row["resource"]
            assert key not in still_open, f"opened twice: {row}"
            assert row["segment"] == row["seq"] and row["from_ms"] >= ended.get(key, 0), row
            still_open[key] = opened[row["seq"]] = row
        elif row["kind"] == "closed":
            begun = opened[row["segment"]]
            key = begun["resource_kind"], begun["resource"]
            assert still_open.pop(key, None) is begun, f"closed without being open: {row}"
            assert row["to_ms"] >= begun["from_ms"], row
            ended[key] = row["to_ms"]
        elif row["kind"] in ("used", "gap"):
            begun = opened[row["segment"]]
            assert begun["from_ms"] <= row["from_ms"] <= row["to_ms"], row
            assert row.get("quantity", 0) >= row.get("estimated", 0) >= 0, row
    return still_open


def segments(rows: list[Row], instance: str | None = None, kind: str = "instance") -> list[Row]:
    """The rows that open and close segments of a kind of resource, of one instance or of all: a row that closes one has what
    the one that opened it says too.  "ms" is when it was."""
    opened: dict[int, Row] = {}
    found = []
    for row in rows:
        if row["kind"] == "opened" and row["resource_kind"] == kind and instance in (None, row["resource"]):
            opened[row["seq"]] = row
            found.append(row | {"ms": row["from_ms"]})
        elif row["kind"] == "closed" and row["segment"] in opened:
            found.append(opened[row["segment"]] | row | {"ms": row["to_ms"]})
    return found
