"""A faithful Apple Push Notification service on this machine.

    simulator = ApnsSimulator(Account([generate_key().team_key]))
    async with trio.open_nursery() as nursery:
        port = await nursery.start(simulator.serve)

`rules`, `tokens` and `certificates` judge; sockets and HTTP/2 are `serving`'s.
"""

from booper.simulators.apns.account import Account, Registration, TeamKey
from booper.simulators.apns.certificates import PushCertificate, generate_certificate
from booper.simulators.apns.desk import Desk, Habits
from booper.simulators.apns.examiner import ApnsExaminer
from booper.simulators.apns.keys import SigningKey, generate_key
from booper.simulators.apns.reasons import REASONS, Verdict
from booper.simulators.apns.rules import PushRequest, judge
from booper.simulators.apns.server import ApnsSimulator
from booper.simulators.apns.tokens import Standing, TokenJudge

__all__ = [
    "REASONS",
    "Account",
    "ApnsExaminer",
    "ApnsSimulator",
    "Desk",
    "Habits",
    "PushCertificate",
    "PushRequest",
    "Registration",
    "SigningKey",
    "Standing",
    "TeamKey",
    "TokenJudge",
    "Verdict",
    "generate_certificate",
    "generate_key",
    "judge",
]
