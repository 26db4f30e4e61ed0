"""A simulated Expo push service: tickets, receipts, projects, its limits and its error codes.

    simulator = HttpSimulator(ExpoRules(ExpoAccount(access_tokens={"mine"}, secured=True)))

`messages` says what a message may hold, `account` keeps who may send, whose devices are whose and
the tickets, `rules` judges calls. In the ledger the sender is the project, and the push id the
message's `collapseId` (else its ticket), so a push that was sent twice shows as a double.
"""

from booper.simulators.expo.account import PROJECT, ExpoAccount
from booper.simulators.expo.rules import ExpoRules

__all__ = ["PROJECT", "ExpoAccount", "ExpoRules"]
