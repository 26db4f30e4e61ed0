"""The simulators' fast lane: the same servers, quick enough that the sender is what limits.

The strict simulators decode every header and judge every request; they are for correctness. This
lane drives the server twin of the product's own engine, judges what repeated requests share once,
and looks at the rest in columns. It is quick only with what it can accept: whatever is not plainly
good goes to the strict rules, so both give the same answers.

`connection` moves bytes, a `Clerk` answers requests: `apns` and `fcm` have one each.
"""

from booper.simulators.fast.apns import FastApnsSimulator
from booper.simulators.fast.connection import Clerk, converse
from booper.simulators.fast.fcm import FastFcmSimulator

__all__ = ["Clerk", "FastApnsSimulator", "FastFcmSimulator", "converse"]
