#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""vmd is killed at random while 50 clients change things; whoever lost an answer asks again under the same request id."""

from __future__ import annotations

import os
import random
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "system"))

from lib import oracle, tap  # noqa: E402
from lib.daemon import Vmd  # noqa: E402
from lib.varlink import VarlinkError  # noqa: E402

CLIENTS = 50
LOAD_KILLS = int(os.environ.get("LOAD_KILLS", "8"))
SEED = int(os.environ.get("SEED", "20261125"))
# Between two kills, on average.
MEAN_S = 0.4
PAUSE_S = 0.2
PASSING = ("io.vmctl.Busy", "io.vmctl.NoCapacity", "io.vmctl.HostUnreachable", "io.vmctl.Deadline")
LIFE: tuple[tuple[str, dict[str, Any]], ...] = (("Stop", {"force": True}), ("Start", {}), ("Resize", {"vcpus": 2}))

# What is asked again in the end has to be known still.
shared = Vmd(quota={"instances": 1000, "vcpus": 10000}, daemon={"operations_kept": 1000000}, script={"vcpus": 1000})


class Client(threading.Thread):
    """Lives of instances, one after another, until it is over."""

    up = threading.Event()
    over = threading.Event()

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.answers: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.ends: Counter[str] = Counter()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            life = 0
            while not self.over.is_set():
                self.live(f"c{self.number}-{life}")
                life += 1
        except BaseException as failure:  # noqa: B036, the test tells it
            self.failure = failure

    def insist(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Asks until there is an answer."""
        while True:
            try:
                self.up.wait()
                return shared.call(method, **parameters)
            except (OSError, EOFError):
                threading.Event().wait(0.02)
            except VarlinkError as error:
                if error.name not in PASSING:
                    raise
                threading.Event().wait(0.02)

    def change(self, method: str, **parameters: Any) -> tuple[str, str]:
        """Makes a change once; its instance, and how it ended."""
        # Kills are what counts, not how much is done between them.
        self.over.wait(PAUSE_S)
        parameters["request_id"] = f"c{self.number}-{len(self.answers)}"
        answer = self.insist(f"Instance.{method}", parameters)
        self.answers.append((method, parameters, answer))
        accepted = answer["instances"][0] if "instances" in answer else answer
        while True:
            waited = self.insist("Operation.Wait", {"operation": accepted["operation"], "timeout_ms": 60000})
            state = waited["operation"]["state"]
            if state in ("succeeded", "failed", "cancelled"):
                failure = waited["operation"].get("failure", {}).get("error", "")
                self.ends[state + (" " + failure if failure else "")] += 1
                return waited["operation"]["target"], state

    def live(self, name: str) -> None:
        instance, state = self.change("Create", name=name)
        for method, more in LIFE:
            if state == "succeeded":
                _, state = self.change(method, instance=instance, **more)
        try:
            self.insist("Instance.Get", {"instance": instance})
        except VarlinkError as error:
            assert error.name == "io.vmctl.NotFound", error
            return
        while state != "gone":
            _, state = self.change("Destroy", instance=instance)
            state = "gone" if state == "succeeded" else state


def test_each_request_has_one_effect_over_kills_under_load() -> None:
    dice = random.Random(SEED)
    clients = [Client(number) for number in range(CLIENTS)]
    Client.up.set()
    for client in clients:
        client.start()
    for _ in range(LOAD_KILLS):
        threading.Event().wait(dice.expovariate(1 / MEAN_S))
        Client.up.clear()
        shared.kill()
        shared.start()
        Client.up.set()
    Client.over.set()
    for client in clients:
        client.join()
    for client in clients:
        if client.failure is not None:
            raise client.failure
    for client in clients:
        for method, parameters, answer in client.answers:
            assert shared.call(f"Instance.{method}", **parameters) == answer, (method, parameters, answer)
    requests = Counter(row["request_id"] for row in list_operations() if "request_id" in row)
    assert set(requests.values()) == {1}, requests.most_common(3)
    assert shared.list_all() == []
    oracle.check_at_rest(shared)
    ends = sum((client.ends for client in clients), Counter())
    print(f"# {LOAD_KILLS} kills under the load of {CLIENTS} clients, {sum(ends.values())} changes, seed {SEED}: {dict(ends)}")


def list_operations() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": None}
    while "next" in page:
        page = shared.call("Operation.List", after=page["next"], limit=500)
        rows += page["operations"]
    return rows


with shared:
    shared.import_template()
    tap.main(globals())
