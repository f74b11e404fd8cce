# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images that would make a host open, run or fill something: one fault each, on what is else a plain qcow2 image."""

from __future__ import annotations

import struct

GIB = 1024**3
TIB = 1024 * GIB
CLUSTER = 65536
# Beyond the header: the refcount table, a block of it, and the first-level table.
GOOD_FIELDS: dict[str, tuple[int, str, int]] = {
    "version": (4, ">I", 3),
    "backing-offset": (8, ">Q", 0),
    "backing-size": (16, ">I", 0),
    "cluster-bits": (20, ">I", 16),
    "size": (24, ">Q", GIB // 8),
    "crypt-method": (32, ">I", 0),
    "l1-size": (36, ">I", 1),
    "l1-offset": (40, ">Q", 3 * CLUSTER),
    "refcount-offset": (48, ">Q", CLUSTER),
    "refcount-clusters": (56, ">I", 1),
    "snapshots": (60, ">I", 0),
    "snapshots-offset": (64, ">Q", 0),
    "incompatible": (72, ">Q", 0),
    "compatible": (80, ">Q", 0),
    "refcount-order": (96, ">I", 4),
    "header-length": (100, ">I", 104),
    "extension": (104, ">Q", 0),
}
MAX32, MAX64 = 2**32 - 1, 2**64 - 1
BAD_FIELDS: dict[str, tuple[int, ...]] = {
    "version": (0, 1, 4, 5, 2**24 * 3, MAX32),
    "backing-offset": (1, 104, 528, 2**63, MAX64),
    "backing-size": (1, 1023, MAX32),
    "cluster-bits": (0, 1, 8, 9, 12, 15, 22, 31, 32, 63, 2**8, 2**24 + 16, MAX32),
    "size": (0, 2 * TIB + 1, 63 * TIB, 2**62, 2**63 - 1, 2**63, MAX64),
    "crypt-method": (1, 2, 3, MAX32),
    "l1-size": (0, 2**22 + 1, 2**29, 2**31, MAX32),
    "l1-offset": (0, 1, CLUSTER + 1, 2**63, MAX64),
    "refcount-offset": (0, 1, CLUSTER - 1, 2**63, MAX64),
    "refcount-clusters": (0, 129, 2**31, MAX32),
    "snapshots": (1, 65536, MAX32),
    "snapshots-offset": (1, CLUSTER, MAX64),
    "incompatible": tuple(1 << bit for bit in range(64)) + (MAX64,),
    "refcount-order": (7, 31, 63, MAX32),
    "header-length": (0, 72, 100, 103, 105, 108, 120, 512, 65536, MAX32),
    # Its type and length: the backing format, an external data file, encryption, bitmaps, an unknown one, endless names.
    "extension": (
        *(0xE2792ACA00000005, 0x4441544100000010, 0x0537BE7700000010),
        *(0x2385287500000018, 0x1234567800000000, 0x6803F857FFFFFFF8),
    ),
}
BACKING_NAMES = (
    *(b"/etc/shadow", b"../../../etc/shadow", b"json:{}", b"nbd://127.0.0.1/x"),
    *(b"ssh://h/x", b"fat:rw:/", b"/dev/vda", b"a" * 300),
)


def make_image(**fields: int) -> bytes:
    """A plain image; a field is named with _ for -."""
    image = bytearray(4 * CLUSTER)
    image[:4] = b"QFI\xfb"
    for name, (offset, form, value) in GOOD_FIELDS.items():
        struct.pack_into(form, image, offset, fields.get(name.replace("-", "_"), value))
    struct.pack_into(">Q", image, CLUSTER, 2 * CLUSTER)
    return bytes(image)


def with_backing_name(name: bytes) -> bytes:
    """The name of another file in the usual place."""
    image = bytearray(make_image(backing_offset=112, backing_size=len(name)))
    image[112 : 112 + len(name)] = name
    return bytes(image)


def other_formats() -> dict[str, bytes]:
    """What is no qcow2 image, whatever its file is called; some would be one for a host that guesses."""
    flat = b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 100 FLAT "/etc/shadow" 0\n'
    qcow2 = make_image()
    mbr = bytes(446) + b"\x00\x00\x02\x00\xee\xff\xff\xff\x01\0\0\0\xff\xff\xff\xff" + bytes(48) + b"\x55\xaa"
    starts = {
        "qcow1": b"QFI\xfb\0\0\0\1" + bytes(500),
        "qed": b"QED\0" + bytes(508),
        "vmdk-sparse": b"KDMV\1\0\0\0" + bytes(504),
        "vmdk-stream": b"KDMV\3\0\0\0" + bytes(504) + flat,
        "vmdk-cowd": b"COWD\1\0\0\0" + bytes(504),
        "vmdk-flat": flat,
        "vhd": b"conectix" + bytes(504),
        "vhdx": b"vhdxfile" + bytes(504),
        "vdi": b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + b"\x7f\x10\xda\xbe" + bytes(444),
        "luks1": b"LUKS\xba\xbe\0\1" + bytes(504),
        "luks2": b"LUKS\xba\xbe\0\2" + bytes(504),
        "parallels": b"WithoutFreeSpace" + bytes(496),
        "bochs": b"Bochs Virtual HD Image".ljust(512, b"\0"),
        "dmg": b"koly" + bytes(508),
        "cloop": b"#!/bin/sh\n#V2.0 Format\n".ljust(512, b"\0"),
        "mbr": mbr,
        "gpt": mbr + b"EFI PART" + bytes(504),
        "iso9660": bytes(32769) + b"CD001" + bytes(2048),
        "iso9660-with-qcow2": bytes(32769) + b"CD001" + bytes(27642) + qcow2,
        "gpt-with-qcow2": mbr + b"EFI PART" + bytes(504) + qcow2,
        "byte-before-qcow2": b"\0" + qcow2,
        "sector-before-qcow2": bytes(512) + qcow2,
        "swapped-magic": b"\xfbIFQ" + qcow2[4:],
        "lower-magic": b"qfi\xfb" + qcow2[4:],
        "elf": b"\x7fELF" + bytes(508),
        "gzip": b"\x1f\x8b\x08" + bytes(509),
        "xz": b"\xfd7zXZ\0" + bytes(506),
        "zstd": b"\x28\xb5\x2f\xfd" + bytes(508),
        "zip": b"PK\x03\x04" + bytes(508),
        "tar": b"disk.qcow2".ljust(257, b"\0") + b"ustar\x0000" + bytes(247),
        "raw-zeros": bytes(65536),
        "json": b'json:{"driver":"qcow2","file":{"driver":"file","filename":"/etc/shadow"}}',
        "nbd": b"nbd://127.0.0.1:10809/x",
        "ssh": b"ssh://root@127.0.0.1/etc/shadow",
        "file": b"file:///etc/shadow",
        "http": b"http://169.254.169.254/latest",
        "xml": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/shadow'>]><a>&x;</a>",
    }
    return {f"format-{name}": data.ljust(512, b"\0") for name, data in starts.items()}


def make_all() -> dict[str, bytes]:
    images = other_formats()
    for field, values in BAD_FIELDS.items():
        for value in values:
            images[f"{field}-{value:x}"] = make_image(**{field.replace("-", "_"): value})
    for name in BACKING_NAMES:
        images[f"backing-{name[:20]!r}"] = with_backing_name(name)
    for length in range(1, 512, 8):
        images[f"cut-{length}"] = make_image()[:length]
    images["compression-type"] = make_image(header_length=112, extension=1 << 56)
    images["version-2-encrypted"] = make_image(version=2, crypt_method=1)
    return images
