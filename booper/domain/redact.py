"""Scrubbing: what a foreign text may not carry into a log, a report or an answer."""

from __future__ import annotations

import re

_SECRETS = re.compile(
    r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)"  # PEM
    r"|eyJ[\w-]{1,300}\.[\w-]*(?:\.[\w-]*)?"  # a JWT
    r"|(?i:\b(?:bearer|basic)\s+\S+)"
    r"|\b[0-9A-Fa-f]{32,}\b"  # an APNs device token, a hash, a key in hex
    r"|\b[\w-]{8,64}:[\w-]{32,}"  # an FCM registration token
    r"|\b(?:auth|p256dh)\\*\"\s*:\s*\\*\"[\w=-]*"  # a push subscription's keys,
    r"|https://[^\s\"]{80,}",  # and its address, which nobody else knows
    re.DOTALL,
)


def scrub(text: str) -> str:
    """The text with keys, tokens and device tokens replaced by "…", in linear time."""
    return _SECRETS.sub("…", text)
