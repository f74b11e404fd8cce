#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A varlink client that others wrote (Debian's varlink library for Go) meets both services."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from lib import tap
from lib.daemon import Vmd
from lib.tap import wait_until

SOURCE = Path(__file__).parent / "stranger.go"
shared = Vmd(meter=True)
folder = tempfile.TemporaryDirectory(prefix="vmctl-stranger.")
client = f"{folder.name}/stranger"


def build() -> None:
    settings = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": f"{folder.name}/cache", "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", client, str(SOURCE)], env={**os.environ, **settings}, timeout=100, check=True)


def look(path: str, method: str, **parameters: Any) -> dict[str, Any]:
    done = subprocess.run(
        [client, f"unix:{path}", method, json.dumps(parameters)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_reads_every_interface_and_makes_a_call() -> None:
    seen = look(shared.socket, "io.vmctl.WhoAmI")
    assert seen["vendor"] == "vmctl" and {"io.vmctl", "io.vmctl.Instance", "io.vmctl.Group"} < set(seen["interfaces"])
    assert "io.vmctl.Instance.Create" in seen["methods"] and "io.vmctl.Event.Read" in seen["methods"]
    assert seen["reply"]["tenant"] == "default" and not seen["error"]


def test_it_makes_an_instance() -> None:
    made = look(shared.socket, "io.vmctl.Instance.Create", name="from-afar", vcpus=2)
    (accepted,) = made["reply"]["instances"]
    shared.wait(accepted["operation"])
    seen = look(shared.socket, "io.vmctl.Instance.Get", instance="from-afar")["reply"]["instance"]
    assert (seen["id"], seen["state"], seen["vcpus"]) == (accepted["instance"], "running", 2)


def test_its_faults_are_told_by_name() -> None:
    assert "io.vmctl.NotFound" in look(shared.socket, "io.vmctl.Instance.Get", instance="nowhere")["error"]
    assert "io.vmctl.InvalidParameter" in look(shared.socket, "io.vmctl.Instance.Get", wings=2)["error"]


def test_it_reads_the_usage() -> None:
    path = Path(shared.socket).with_name("meter.sock")
    wait_until(path.exists, "vmd-meter's socket")
    seen = look(str(path), "io.vmctl.Billing.Usage")
    assert "io.vmctl.Billing.Usage" in seen["methods"] and not seen["error"], seen


with folder, shared:
    build()
    shared.import_template()
    tap.main(globals())
