"""A Web Push service to test against, with the browsers behind it: strict, and it can decrypt.

`rules` judges a request, `agents` are the subscribed browsers, `service` puts both on HTTP.
"""

from __future__ import annotations

from booper.simulators.webpush.agents import Agent, Agents, Message
from booper.simulators.webpush.rules import Push, Refusal, judge
from booper.simulators.webpush.service import WebPushRules, WebPushSimulator

__all__ = [
    "Agent",
    "Agents",
    "Message",
    "Push",
    "Refusal",
    "WebPushRules",
    "WebPushSimulator",
    "judge",
]
