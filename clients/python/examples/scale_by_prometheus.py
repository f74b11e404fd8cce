#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tells a group what Prometheus says of its load, so that the group follows it.

The group has a target: `vmctl group autoscale web --metric 50`. The query gives one number, which is what each member
has of the load on average. While Prometheus does not answer, or knows no number, nothing is told: the group stays as it
is, and says so in `vmctl group plan web`.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from decimal import Decimal

from vmctl import Client, VarlinkError


def ask(prometheus: str, query: str) -> Decimal:
    """The one value of an instant query. Raises ValueError if there is none, or more."""
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        data = json.load(answer)["data"]
    values = [data["result"][1]] if data["resultType"] == "scalar" else [row["value"][1] for row in data["result"]]
    if len(values) != 1 or not Decimal(values[0]).is_finite():
        raise ValueError(f"the query gave {len(values)} values, and should give one number")
    return Decimal(values[0])


def tell(arguments: argparse.Namespace) -> bool:
    """Whether the group was told."""
    try:
        value = max(ask(arguments.prometheus, arguments.query), Decimal(0))
        with Client() as vmctl:
            vmctl.group.metric(group=arguments.group, value=f"{value:.3f}")
    except (OSError, ValueError, ArithmeticError, KeyError, VarlinkError) as error:
        print(f"{arguments.group} was not told: {error}", file=sys.stderr)
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("group")
    parser.add_argument("--query", required=True, help="in PromQL; gives one number")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL")
    parser.add_argument("--every", type=float, default=15, metavar="SECONDS")
    parser.add_argument("--once", action="store_true", help="tell it once, and end with 1 if that failed")
    arguments = parser.parse_args()
    while True:
        told = tell(arguments)
        if arguments.once:
            return 0 if told else 1
        time.sleep(arguments.every)


if __name__ == "__main__":
    sys.exit(main())
