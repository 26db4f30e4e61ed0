"""A faithful Firebase Cloud Messaging (HTTP v1) on this machine, with its OAuth token endpoint.

    issued = generate_account()
    simulator = FcmSimulator(Project(accounts=[issued.account]))
    async with trio.open_nursery() as nursery:
        port = await nursery.start(simulator.serve)

`credentials`, `form` and `rules` judge; sockets and HTTP are `serving`'s.
"""

from booper.simulators.fcm.credentials import Credentials
from booper.simulators.fcm.examiner import FcmExaminer
from booper.simulators.fcm.project import Issued, Project, ServiceAccount, generate_account
from booper.simulators.fcm.server import FcmSimulator

__all__ = [
    "Credentials",
    "FcmExaminer",
    "FcmSimulator",
    "Issued",
    "Project",
    "ServiceAccount",
    "generate_account",
]
