"""How far an attempt got, and how long its next stage may take.

What has left this machine is read from httpcore's trace events: between the start of a new connection and the start of
the request's first bytes nothing has. Without such an event, as on a kept-alive connection, it counts as left: a server
that closes a connection while a request is under way gives no sign of having read it.
"""

import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """How far an attempt got. `timeouts` is the mapping that httpcore reads at the start of each stage."""

    deadline: float
    left: bool = False
    started: float = field(default_factory=time.monotonic)
    timeouts: dict[str, float] = field(default_factory=dict)

    def note(self, event: str, _: Any) -> None:
        """Take note of one of httpcore's trace events, and leave a stage that begins no more than the time left."""
        if not event.endswith(".started"):
            return
        if event == "connection.connect_tcp.started":
            self.left = False
        elif event.endswith("send_request_headers.started"):
            self.left = True
        remaining = max(0.001, self.remaining())
        self.timeouts.update({stage: min(limit, remaining) for stage, limit in self.timeouts.items()})

    async def anote(self, event: str, info: Any) -> None:
        """As `note`, for the asynchronous client."""
        self.note(event, info)

    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - (time.monotonic() - self.started)

    def check(self) -> None:
        """Raise TimeoutError past the deadline."""
        if self.remaining() <= 0:
            raise TimeoutError
