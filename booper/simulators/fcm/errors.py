"""Google's errors: a status, a family, and in the details the code that says what it really is.

Sources: Firebase, "FCM error codes"; Google, AIP-193.
"""

from __future__ import annotations

from typing import Any

import msgspec

from booper.simulators.serving.judging import Header, Response

JSON: Header = (b"content-type", b"application/json; charset=UTF-8")
_FCM = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD = "type.googleapis.com/google.rpc.BadRequest"
_INFO = "type.googleapis.com/google.rpc.ErrorInfo"

# FCM's own codes: status, family, Google's sentence.
CODES: dict[str, tuple[int, str, str]] = {
    "INVALID_ARGUMENT": (400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    "THIRD_PARTY_AUTH_ERROR": (
        401,
        "UNAUTHENTICATED",
        "Auth error from APNS or Web Push Service",
    ),
    "SENDER_ID_MISMATCH": (403, "PERMISSION_DENIED", "SenderId mismatch"),
    "UNREGISTERED": (404, "NOT_FOUND", "Requested entity was not found."),
    "QUOTA_EXCEEDED": (429, "RESOURCE_EXHAUSTED", "Quota exceeded."),
    "INTERNAL": (500, "INTERNAL", "Internal error encountered."),
    "UNAVAILABLE": (503, "UNAVAILABLE", "The service is currently unavailable."),
}
FAMILIES: dict[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
MISSING = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login"
    " cookie or other valid authentication credential."
)
INVALID = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie"
    " or other valid authentication credential."
)


class Wrong(Exception):
    """A request that does not have the form of one: which field, and Google's sentence."""

    def __init__(self, field: str, description: str) -> None:
        super().__init__(description)
        self.field = field
        self.description = description


def code(name: str, message: str = "") -> Response:
    """One of FCM's own codes."""
    status, family, sentence = CODES[name]
    return _error(status, family, message or sentence, {"@type": _FCM, "errorCode": name})


def malformed(wrong: Wrong) -> Response:
    """A violation of the API's own form: no code of FCM's, since it never got that far."""
    violation = {"field": wrong.field, "description": wrong.description}
    return _error(
        400,
        "INVALID_ARGUMENT",
        wrong.description,
        {"@type": _BAD, "fieldViolations": [violation]},
        reason="BadRequest",
    )


def unauthenticated(message: str, reason: str) -> Response:
    """401; the reason is Google's word for what was wrong with the credential."""
    info = {"@type": _INFO, "reason": reason, "domain": "googleapis.com"}
    bearer: Header = (b"www-authenticate", b'Bearer realm="https://accounts.google.com/"')
    found = _error(401, "UNAUTHENTICATED", message, info, reason=reason)
    return found._replace(headers=(*found.headers, bearer))


def denied(project: str) -> Response:
    """403: a good credential without a right to that project."""
    place = f"//cloudresourcemanager.googleapis.com/projects/{project}"
    message = (
        f"Permission 'cloudmessaging.messages.create' denied on resource '{place}' (or it may not"
        " exist)."
    )
    info = {"@type": _INFO, "reason": "IAM_PERMISSION_DENIED", "domain": "iam.googleapis.com"}
    return _error(403, "PERMISSION_DENIED", message, info, reason="IAM_PERMISSION_DENIED")


def scripted(status: int, reason: str) -> Response:
    """A status with one of FCM's codes, or with any other word as its family."""
    if reason in CODES:
        _, family, sentence = CODES[reason]
        return _error(status, family, sentence, {"@type": _FCM, "errorCode": reason})
    family = reason or FAMILIES.get(status, "UNKNOWN")
    return _error(status, family, "It was so scripted.")


def oauth(error: str, description: str) -> Response:
    """A refusal of the token endpoint (RFC 6749 §5.2)."""
    body = msgspec.json.encode({"error": error, "error_description": description})
    return Response(400, (JSON,), body, error)


def _error(
    status: int, family: str, message: str, *details: dict[str, Any], reason: str = ""
) -> Response:
    word = reason or next((str(d["errorCode"]) for d in details if "errorCode" in d), family)
    error: dict[str, Any] = {"code": status, "message": message, "status": family}
    if details:
        error["details"] = list(details)
    return Response(status, (JSON,), msgspec.json.encode({"error": error}), word)
