"""The serving side that the strict simulators share: sockets, HTTP/2 by `h2`, faults, books.

`server` owns the sockets, `session` (HTTP/2) and `plain` (HTTP/1.1) are connections without I/O.
What a provider thinks of a request is its own: an `Examiner` (`judging`).
"""

from booper.simulators.serving.desk import Desk, Habits
from booper.simulators.serving.judging import Examiner, Judged, PushRequest, Response
from booper.simulators.serving.server import Simulator
from booper.simulators.serving.session import Ending, Session

__all__ = [
    "Desk",
    "Ending",
    "Examiner",
    "Habits",
    "Judged",
    "PushRequest",
    "Response",
    "Session",
    "Simulator",
]
