#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same request up to five times at once, on different connections, some of which are cut: one effect, one answer.

DUPLICATES says how many requests are sent at least, SEED in which way.
"""

import json
import os
import random
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "system"))

from lib import oracle, tap  # noqa: E402
from lib.daemon import Vmd  # noqa: E402
from lib.varlink import Connection, VarlinkError  # noqa: E402

SEED = int(os.environ.get("SEED", "20261125"))
DUPLICATES = int(os.environ.get("DUPLICATES", "1000"))
WORKERS = 4
COPIES = 5
# One life of an instance.
LIFE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Create", {}),
    ("Stop", {"force": True}),
    ("Start", {}),
    ("Pause", {}),
    ("Resume", {}),
    ("Resize", {"vcpus": 2}),
    ("Restart", {}),
    ("Destroy", {}),
)

shared = Vmd(quota={"instances": 100})


class Worker(threading.Thread):
    """Lives of instances, one after another; every step of them is asked for several times."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.dice = random.Random(SEED + number)
        self.connections = [shared.connect() for _ in range(COPIES)]
        self.sent = self.requests = self.cut = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while self.sent * WORKERS < DUPLICATES:
                self.live(f"d{self.number}-{self.requests}")
        except BaseException as failure:  # noqa: B036, the test tells it
            self.failure = failure
        finally:
            for connection in self.connections:
                connection.close()

    def ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """The one answer to a request that is sent several times; some clients do not wait for it."""
        copies = self.dice.randint(1, COPIES)
        text = json.dumps({"method": f"io.vmctl.Instance.{method}", "parameters": parameters}).encode() + b"\0"
        for connection in self.connections[:copies]:
            connection.send_raw(text)
        answers = []
        for index in range(copies):
            if self.dice.randrange(3) == 0:
                self.connections[index].close()
                self.connections[index] = Connection(shared.socket)
                self.cut += 1
            else:
                answers.append(self.connections[index].receive()[0])
        # As who lost its answer would: once more.
        answers.append(self.connections[0].call(f"io.vmctl.Instance.{method}", **parameters))
        assert all(answer == answers[0] for answer in answers), answers
        self.sent += copies + 1
        self.requests += 1
        return answers[0]

    def refuse_another_body(self, method: str, parameters: dict[str, Any]) -> None:
        other = {"vcpus": 3} if method == "Create" else {"instance": "x"}
        try:
            self.connections[0].call(f"io.vmctl.Instance.{method}", **{**parameters, **other})
        except VarlinkError as error:
            assert error.name == "io.vmctl.RequestMismatch", error
        else:
            raise AssertionError(f"{method} was taken with another body")

    def live(self, name: str) -> None:
        instance = ""
        asked = []
        for method, more in LIFE:
            request_id = f"{name}-{method}"
            parameters = {"request_id": request_id, **more, **({"instance": instance} if instance else {"name": name})}
            answer = self.ask(method, parameters)
            if not instance:
                (accepted,) = answer["instances"]
                instance, answer = accepted["instance"], accepted
            self.refuse_another_body(method, parameters)
            assert shared.wait(answer["operation"])["state"] == "succeeded"
            asked.append(answer["operation"])
        made = shared.call("Operation.List", target=instance)["operations"]
        assert [operation["id"] for operation in made] == asked[::-1], (made, asked)


def test_a_request_has_one_effect_however_often_it_is_sent() -> None:
    workers = [Worker(number) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for worker in workers:
        if worker.failure is not None:
            raise worker.failure
    sent, requests, cut = (sum(getattr(worker, name) for worker in workers) for name in ("sent", "requests", "cut"))
    assert sent >= DUPLICATES and shared.list_all() == []
    oracle.check_at_rest(shared)
    print(f"# {sent} requests with {requests} request ids, {cut} answers cut, seed {SEED}")


with shared:
    shared.import_template()
    tap.main(globals())
