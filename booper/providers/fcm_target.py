"""Whom an FCM message is for: a device, or all who listen to topics; and how each is spelt.

A device is its registration token, bare, or `fid:` and its Firebase installation id. A subscriber
to a channel may also be `topic:NAME` or `condition:EXPRESSION`: one push, fanned out by Google.
Sources: Firebase, "REST Resource: projects.messages", "Send messages to topics".
"""

from __future__ import annotations

import re

from booper.domain.errors import Invalid

_NAME = r"[A-Za-z0-9_.~%-]{1,900}"
_REGISTRATION = re.compile(r"[A-Za-z0-9_:.-]{16,4096}")
_INSTALLATION = re.compile(r"[A-Za-z0-9_-]{16,100}")
_TOPIC = re.compile(rf"(?:/topics/)?({_NAME})")
_WORD = re.compile(rf"\s*(?:('{_NAME}'\s+in\s+topics)|(&&|\|\||!|\(|\)))", re.ASCII)
TOPICS = 5  # in one condition at most
_CONDITION = 1000  # characters

FIELDS = ("topic", "condition", "fid")
PREFIXES = tuple(f"{field}:" for field in FIELDS)


def device_token(text: str) -> str:
    """A target in its one spelling, or Invalid; none needs escaping inside a JSON text."""
    field, _, rest = text.partition(":")
    spelt: str | None = text
    match field:
        case "topic":
            found = _TOPIC.fullmatch(rest)
            spelt = f"topic:{found[1]}" if found else None
        case "condition":
            spelt = _condition(rest)
        case "fid":
            spelt = text if _INSTALLATION.fullmatch(rest) else None
        case _:
            spelt = text if _REGISTRATION.fullmatch(text) else None
    if spelt is None:
        raise Invalid(
            "An FCM device token has 16 to 4096 letters, digits and _ : . -, or is topic:NAME,"
            " condition:EXPRESSION (of at most 5 topics) or fid:ID.",
            code="invalid_device_token",
            pointer="/device_token",
        )
    return spelt


def to_many(token: str) -> bool:
    """Whether it stands for all who listen to topics."""
    return token.startswith(("topic:", "condition:"))


def _condition(text: str) -> str | None:
    """`'a' in topics && !('b' in topics)` with single spaces; None if it is not a condition."""
    words: list[str] = []
    at = 0
    text = text.strip()
    if len(text) > _CONDITION:
        return None
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            return None
        words.append(found[2] or " ".join(found[1].split()))
        at = found.end()
    if not _expression(words) or sum(word[0] == "'" for word in words) > TOPICS:
        return None
    spelt = " ".join(words)
    return "condition:" + spelt.replace("( ", "(").replace(" )", ")").replace("! ", "!")


def _expression(words: list[str]) -> bool:
    """Whether operands and operators alternate and parentheses pair; in linear time."""
    depth, operand = 0, True  # what is wanted next
    for word in words:
        if operand:
            depth += word == "("
            operand = word in ("(", "!")
            if word in (")", "&&", "||"):
                return False
        else:
            depth -= word == ")"
            operand = word in ("&&", "||")
            if depth < 0 or word in ("(", "!") or word[0] == "'":
                return False
    return not operand and not depth
