# SPDX-License-Identifier: LGPL-2.1-or-later
"""Texts that broke other services: names, paths, markup, queries, escapes. All of it from one dice, so that it replays."""

from __future__ import annotations

import random
import re

NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")

NAMES = (
    "", ".", "..", "../x", "..\\x", "/", "/etc/passwd", "a/b", "a//b", "a\0b", "%2e%2e", "%00", "a\r\nb", "\n", "\t",
    " a", "a ", "a", "ab", "a1", "a-b", "a--b", "-", "-a", "a-", "-rf", "--help", "1", "1a", "A", "Web", "web", "a_b",
    "a.b", ".qcow2", "a.qcow2", "con", "nul", "aux.txt", "$(id)", "`id`", "$x", "${IFS}", "a;b", "a|b", "a&b", "a>b",
    "*", "?", "[a]", "~", "~root", "\u202eabc", "abc\u202e", "\u0430bc", "\u00e4", "a\u0308", "\uff41", "\u200ba",
    "\ufeffa", "a\u00a0", "\U0001f4a9", "\u0131", "a" * 31, "a" * 32, "a" * 33, "a" * 64, "a" * 65, "a" * 255,
    "a" * 256, "a" * 4096, "-" * 32, "a" + "-" * 30 + "b", "a" + "-" * 31,
)

MARKUP = (
    "'/><disk type='file'><source file='/etc/shadow'/></disk>", '"/><x y="', "]]>", "<![CDATA[", "&xxe;", "&lt;",
    "&#0;", "&#x1;", '<!DOCTYPE a [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>&xxe;', "<!--", "-->",
    "<?xml version='1.0'?>", "</domain>", "<x/>", "\x01", "\x08", "\x1b[2J", "\x7f", "\ufffe", "\uffff", "\u0085",
    "\u2028", "\n", "\r\n", "\n<on_crash>", "{{x}}", "{% x %}", "!!python/object/apply:os.system ['id']", ": ", "- ",
    "#cloud-config\n", "a: b\n- c", "%s%n", "%n%n%n%n", "{0}", "\\", "\\\\", "\\u0000",
)

QUERIES = (
    "'", "''", '"', "' OR '1'='1", "' OR 1=1 --", "'; DROP TABLE instance; --", "'); DELETE FROM ledger; --",
    "1; ATTACH 'x' AS y", "' UNION SELECT * FROM setting --", "x' AND randomblob(1000000000) --", "\\'; --",
    "%' OR '%'='", "1 OR 1=1", "/**/", "' || load_extension('x') --", "0x27", "char(39)", "NULL", "null", "undefined",
    "x'00'", "?1", ":a", "@a", "$a", "'; PRAGMA writable_schema=1; --", "'/*", "*/", ";",
)

COMMANDS = (
    "$(touch /tmp/x)", "`touch /tmp/x`", "; touch /tmp/x", "| touch /tmp/x", "&& touch /tmp/x", "-oProxyCommand=x",
    "--backing=x", "-f raw", "file:///etc/passwd", "json:{}", "nbd://x", "ssh://x", "../../../../etc/shadow",
    "/proc/self/fd/3", "/dev/zero", "qemu:///system", "http://169.254.169.254/",
)

ESCAPES = (
    "\x1b", "\x1b[2J", "\x1b[31m", "\x1b[1;1H", "\x1b]0;x\x07", "\x1b]52;c;AAAA\x07", "\x1bP+q\x1b\\", "\x1bc", "\x1b[6n",
    "\x9b31m", "\x9d0;x\x9c", "\x90x\x9c", "\r", "\n", "\r\n", "\b\b\b", "\x7f", "\x07", "\x0b", "\x0c", "\x0e",
    "\x0f", "\x05",
    "\u202e", "\u202d", "\u202a", "\u202c", "\u2066", "\u2067", "\u2068", "\u2069", "\u200e", "\u200f", "\u061c", "\u2028",
    "\u2029", "\u200b", "\u00ad", "\u2060", "\u2063", "\ufeff", "\ufff9", "\U000e0001", "\U000e0041", "\U0001d173", "\ufffe",
)

TEXTS = MARKUP + QUERIES + COMMANDS


def make_name(dice: random.Random) -> str:
    """A name, good or bad."""
    kind = dice.randrange(4)
    if kind == 0:
        return dice.choice(NAMES)
    if kind == 1:
        name = dice.choice(NAMES)[:64]
        place = dice.randint(0, len(name))
        return name[:place] + dice.choice(NAMES)[:8] + name[place:]
    alphabet = "abcz019-" if kind == 2 else "abcz019-AZ_. /\\\0\n\u00e4%$"
    return "".join(dice.choice(alphabet) for _ in range(dice.choice((1, 2, 3, 8, 31, 32, 33))))


def make_text(dice: random.Random) -> str:
    """One of the texts, two of them, or one in the middle of something harmless."""
    kind = dice.randrange(4)
    if kind == 0:
        return dice.choice(TEXTS)
    if kind == 1:
        return dice.choice(TEXTS) + dice.choice(TEXTS)
    if kind == 2:
        return "web" + dice.choice(TEXTS) + "1"
    return (dice.choice(TEXTS) + "x") * dice.choice((2, 8, 64, 300))


def make_escape(dice: random.Random) -> str:
    """A text with something in it that is not for the eye."""
    plain = ("", "web", "a b", "\u00e4\u20ac", "\U0001f427", "100%")
    parts = [dice.choice(plain) + dice.choice(ESCAPES) for _ in range(dice.randint(1, 4))]
    return "".join(parts) + dice.choice(("", "x", "2026-01-01T00:00:00.000Z vmd: forged"))
