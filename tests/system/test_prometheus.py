#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's Prometheus and the metrics: VMCTL_PROMETHEUS names the folder of its package."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Iterator

from lib import openmetrics, tap
from lib.daemon import Vmd
from lib.tap import ROOT, Skipped, wait_until

CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: vmctl
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
"""


def program(name: str) -> str:
    folder = os.environ.get("VMCTL_PROMETHEUS")
    if not folder:
        raise Skipped("VMCTL_PROMETHEUS is not set: see tools/test")
    return str(Path(folder) / "usr/bin" / name)


def ask(port: int, what: str, **parameters: str) -> Any:
    """The data of an answer of Prometheus; None while it does not answer."""
    url = f"http://127.0.0.1:{port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]
    except (urllib.error.URLError, ConnectionError):
        return None


@contextlib.contextmanager
def prometheus(folder: Path, scraped: int) -> Iterator[int]:
    """A Prometheus that scrapes a port; yields its own."""
    binary, port = program("prometheus"), openmetrics.free_port()
    (folder / "prometheus.yml").write_text(CONFIGURATION.format(port=scraped))
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stderr=log,
            env={**os.environ, "GOMAXPROCS": "1"},
        )
    try:
        yield port
    except AssertionError:
        print("".join(f"# {line}\n" for line in (folder / "prometheus.log").read_text().splitlines()[-20:]), end="")
        raise
    finally:
        process.terminate()
        process.wait(60)


def test_promtool_has_nothing_to_say_about_the_page() -> None:
    promtool = program("promtool")
    with Vmd(meter=True) as vmd:
        vmd.import_template()
        vmd.create(name="web")
        path = str(vmd.dir / "run" / "metrics.sock")
        wait_until(lambda: "vmctl_instance_up{" in openmetrics.request(path).text, "the instance to be told")
        page = openmetrics.request(path, Accept="text/plain").text
        check = [promtool, "check", "metrics"]
        found = subprocess.run(check, input=page, capture_output=True, text=True, check=False, timeout=60)
        assert (found.returncode, found.stdout, found.stderr) == (0, "", ""), found
        wrong = page.replace("_seconds_total", "_milliseconds")
        assert subprocess.run(check, input=wrong, capture_output=True, text=True, check=False, timeout=60).returncode != 0


def test_prometheus_scrapes_the_port_and_answers() -> None:
    program("prometheus")
    scraped = openmetrics.free_port()
    with Vmd(meter=True, metering={"anchor": "", "metrics_port": scraped}) as vmd:
        vmd.import_template()
        web = vmd.create(name="web")
        with prometheus(vmd.dir, scraped) as port:
            query = "vmctl_instance_up * on (instance_id) group_left (name) vmctl_instance_info"

            def get_value(expression: str) -> list[tuple[dict[str, str], str]]:
                found = ask(port, "query", query=expression)
                return [(row["metric"], row["value"][1]) for row in found["result"]] if found else []

            found = wait_until(lambda: get_value(query), "Prometheus to have scraped")
            assert [(labels["name"], value) for labels, value in found] == [("web", "1")], found
            total = "sum by (tenant) (vmctl_instance_vcpu_allocated_seconds_total)"
            first = float(get_value(total)[0][1])
            vmd.do("Instance.Stop", instance="web")
            wait_until(lambda: get_value("vmctl_instance_up")[0][1] == "0", "the end to be scraped")
            assert float(get_value(total)[0][1]) >= first
            assert get_value("vmctl_instance_up")[0][0]["instance_id"] == web["id"]
            # Only the newer format tells units.
            about = ask(port, "metadata", metric="vmctl_instance_cpu_seconds")["vmctl_instance_cpu_seconds"][0]
            assert (about["type"], about["unit"]) == ("counter", "seconds"), about


def scale(vmd: Vmd, port: int, query: str | None = None) -> int:
    """Types the example of docs/scripting.md, or the same with another query; the exit status."""
    (line,) = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/scripting.md").read_text(), re.DOTALL)
    if query is not None:
        line = re.sub(r"--query '.*?'", f"--query '{query}'", line)
    environment = {
        **os.environ,
        "PATH": f"{ROOT}/clients/python/examples:{os.environ['PATH']}",
        "PROMETHEUS": f"http://127.0.0.1:{port}",
        "VMCTL_SOCKET": vmd.socket,
    }
    return subprocess.run(["bash", "-c", line], env=environment, capture_output=True, timeout=60, check=False).returncode


def test_a_group_follows_what_prometheus_says() -> None:
    program("prometheus")
    scraped = openmetrics.free_port()
    with Vmd(meter=True, metering={"anchor": "", "metrics_port": scraped}, group={"proof_seconds": 1}) as vmd:
        vmd.import_template()
        vmd.do("Group.Create", group="web", min=1, max=6, count=2)
        vmd.call("Group.Autoscale", group="web", metric="50", cooldown_out_ms=0, tolerance_percent=0)
        with prometheus(vmd.dir, scraped) as port:
            up = "count(vmctl_instance_up == 1)"
            wait_until(lambda: (ask(port, "query", query=up) or {}).get("result"), "Prometheus to have scraped", 60)
            # No queue is measured: nothing is told, and nothing changes.
            assert scale(vmd, port) == 1
            assert vmd.call("Group.Plan", group="web")["decided"] == 2
            # 100 of each of two members, which should have 50.
            assert scale(vmd, port, f"100 * {up} / {up}") == 0
            wait_until(lambda: len(vmd.list_all()) == 4, "the group to have grown", 60)
        assert scale(vmd, port) == 1
        vmd.do("Group.Remove", group="web")


def served_names() -> set[str]:
    """The names of all samples that the page may have."""
    with Vmd(meter=True) as vmd:
        text = openmetrics.request(str(vmd.dir / "run" / "metrics.sock")).text
    suffixes = {"counter": "_total", "gauge": "", "info": "_info"}
    return {name + suffixes[kind] for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)}


def named(text: str) -> set[str]:
    return set(re.findall(r"\bvmctl_[a-z_]+\b", text))


def test_every_metric_is_documented_and_every_one_that_is_named_is_served() -> None:
    served = served_names()
    assert len(served) > 20, served
    documented = named((ROOT / "docs/metrics.md").read_text())
    assert documented == served, documented ^ served
    rules = named((ROOT / "data/prometheus/vmctl.rules.yml").read_text())
    panels = json.loads((ROOT / "data/grafana/vmctl.json").read_text())["panels"]
    shown = named(json.dumps([panel["targets"] for panel in panels]))
    assert rules and rules <= served, rules - served
    assert shown and shown <= served, shown - served


def test_every_alert_is_documented_and_tested() -> None:
    alerts = set(re.findall(r"alert: (\w+)", (ROOT / "data/prometheus/vmctl.rules.yml").read_text()))
    assert alerts
    for path in ("docs/metrics.md", "tests/prometheus/vmctl.rules.test.yml"):
        text = (ROOT / path).read_text()
        assert not {alert for alert in alerts if alert not in text}, path


def test_promtool_takes_the_rules_and_they_do_what_they_say() -> None:
    promtool = program("promtool")
    with tempfile.TemporaryDirectory(prefix="vmctl-rules.") as folder:
        for path in ("data/prometheus/vmctl.rules.yml", "tests/prometheus/vmctl.rules.test.yml"):
            shutil.copy(ROOT / path, folder)
        for command in (["check", "rules", "vmctl.rules.yml"], ["test", "rules", "vmctl.rules.test.yml"]):
            done = subprocess.run([promtool, *command], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
            assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_understands_every_panel_of_the_dashboard() -> None:
    program("prometheus")
    dashboard = json.loads((ROOT / "data/grafana/vmctl.json").read_text())
    with tempfile.TemporaryDirectory(prefix="vmctl-dashboard.") as folder:
        with prometheus(Path(folder), openmetrics.free_port()) as port:
            wait_until(lambda: ask(port, "query", query="1") is not None, "Prometheus to answer")
            for panel in dashboard["panels"]:
                for target in panel["targets"]:
                    expression = target["expr"].replace("$tenant", ".*")
                    assert ask(port, "query", query=expression) is not None, expression
            assert ask(port, "query", query="sum(") is None


if __name__ == "__main__":
    tap.main(globals())
