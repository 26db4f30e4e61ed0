"""A simulated ntfy server: topics, access, publishing in its ways, UnifiedPush, its error codes.

    simulator = HttpSimulator(NtfyRules(NtfyAccount(access_tokens={"tk_mine"}, open=False)))

In the ledger and for fault scripts, the device is the topic. Source: ntfy, "Publishing", "List of
all parameters", and the error list of its server.
"""

from booper.simulators.ntfy.account import NtfyAccount
from booper.simulators.ntfy.errors import ERRORS
from booper.simulators.ntfy.publishing import Message
from booper.simulators.ntfy.rules import NtfyRules

__all__ = ["ERRORS", "Message", "NtfyAccount", "NtfyRules"]
