"""ntfy's errors: code → status and words."""

from __future__ import annotations

ERRORS = {
    40000: (400, "invalid request"),
    40007: (400, "invalid priority parameter"),
    40009: (400, "invalid request: topic invalid"),
    40010: (400, "invalid request: topic name is not allowed"),
    40011: (400, "invalid message: message must be UTF-8 encoded"),
    40013: (400, "invalid request: attachment URL is invalid"),
    40017: (400, "invalid request: request body must be message JSON"),
    40021: (400, "invalid request: icon URL is invalid"),
    40101: (401, "unauthorized"),
    40301: (403, "forbidden"),
    40401: (404, "page not found"),
    41301: (413, "attachment too large, or bandwidth limit reached"),
    41303: (413, "JSON body too large"),
    42901: (429, "limit reached: too many requests"),
    42908: (429, "limit reached: daily message quota reached"),
    42909: (429, "limit reached: too many auth failures"),
    50001: (500, "internal server error"),
    50701: (507, "cannot publish to UnifiedPush topic without previously active subscriber"),
}


class Refused(Exception):
    """The call is refused with one of the codes."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
