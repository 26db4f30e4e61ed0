"""Apple's answers: every reason with its status, and the value that carries one.

Source: Apple, "Handling notification responses from APNs", tables 2 to 4.
"""

from __future__ import annotations

import msgspec

REASONS: dict[str, int] = {
    "BadCollapseId": 400,
    "BadDeviceToken": 400,
    "BadExpirationDate": 400,
    "BadMessageId": 400,
    "BadPriority": 400,
    "BadTopic": 400,
    "DeviceTokenNotForTopic": 400,
    "DuplicateHeaders": 400,
    "IdleTimeout": 400,
    "InvalidPushType": 400,
    "MissingDeviceToken": 400,
    "MissingTopic": 400,
    "PayloadEmpty": 400,
    "TopicDisallowed": 400,
    "BadCertificate": 403,
    "BadCertificateEnvironment": 403,
    "BadEnvironmentKeyIdInToken": 403,
    "ExpiredProviderToken": 403,
    "Forbidden": 403,
    "InvalidProviderToken": 403,
    "MissingProviderToken": 403,
    "UnrelatedKeyIdInToken": 403,
    "BadPath": 404,
    "MethodNotAllowed": 405,
    "ExpiredToken": 410,
    "Unregistered": 410,
    "PayloadTooLarge": 413,
    "TooManyProviderTokenUpdates": 429,
    "TooManyRequests": 429,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
    "Shutdown": 503,
}


class Verdict(msgspec.Struct, frozen=True):
    """The answer to a request; 200 has no reason. `timestamp` (ms since 1970) goes with a 410."""

    status: int
    reason: str = ""
    timestamp: int | None = None
    retry_after: int | None = None

    def body(self) -> bytes:
        """What Apple writes under the headers: nothing for 200, else a JSON object."""
        if self.status == 200:
            return b""
        if self.timestamp is None:
            return msgspec.json.encode({"reason": self.reason})
        return msgspec.json.encode({"reason": self.reason, "timestamp": self.timestamp})


ACCEPTED = Verdict(200)


def refuse(reason: str, timestamp: int | None = None) -> Verdict:
    """The verdict for one of Apple's reasons."""
    return Verdict(REASONS[reason], reason, timestamp)
