# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of vmctl's services, vmd and vmd-meter, over their Unix sockets.  Standard library only.

    from vmctl import Client, QuotaExceeded

    with Client() as vmctl:
        accepted = vmctl.instance.create(name="web", vcpus=2, memory_bytes=1 << 30)
        for made in accepted["instances"]:
            vmctl.operation.wait(operation=made["operation"])
        for instance in vmctl.instance.list_all():
            print(instance["name"], instance["state"])

What can be called, and with what, is in `vmctl.api`, which is generated from the schema.
"""

from .api import *  # noqa: F401, F403
from .client import Client
from .wire import Lost, Unreachable, VarlinkError

__all__ = ["Client", "Lost", "Unreachable", "VarlinkError"]
