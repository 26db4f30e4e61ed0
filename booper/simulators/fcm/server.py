"""The simulated Google on a socket: HTTP/2, and HTTP/1.1 for those who speak no newer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from booper.simulators.fcm.credentials import LIFE, Credentials
from booper.simulators.fcm.examiner import TOKEN, FcmExaminer
from booper.simulators.fcm.project import Project
from booper.simulators.serving.desk import Desk, Habits
from booper.simulators.serving.plain import PlainSession
from booper.simulators.serving.server import Simulator, Talk
from booper.simulators.serving.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import trio

    from booper.simulators.certificates import Authority
    from booper.simulators.faults import Faults
    from booper.simulators.ledger import Ledger


class FcmSimulator(Simulator):
    """FCM's HTTP v1 API and an OAuth token endpoint (`POST /token`) at one address.

    `project` and `credentials` (made by what is handed in) are what it knows; `token_life` is in
    seconds. Fault scripts for the token endpoint name the device "/token"; those for all meet it
    too.
    """

    alpn: ClassVar[Sequence[str]] = ("h2", "http/1.1")

    def __init__(
        self,
        project: Project | None = None,
        *,
        faults: Faults | None = None,
        ledger: Ledger | None = None,
        habits: Habits | None = None,
        authority: Authority | None = None,
        token_life: int = LIFE,
        credentials: Callable[[Project, int], Credentials] = Credentials,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(faults, ledger, habits or Habits(), authority)
        self.project = Project() if project is None else project
        self.credentials = credentials(self.project, token_life)
        self._desk = Desk(self.faults, self.ledger, self.habits, now)
        self._examiner = FcmExaminer(self.project, self.credentials, self._desk)

    @property
    def token_uri(self) -> str:
        """Where a service account's signature is exchanged for an access token."""
        return f"{self.url}{TOKEN.decode()}"

    def _talk(self, stream: trio.SSLStream[trio.SocketStream], at: float) -> Talk:
        self._examiner.own_url = self.url
        if stream.selected_alpn_protocol() == "h2":
            return Session(self._desk, self._examiner, at)
        return PlainSession(self._desk, self._examiner, at)
