"""What `up` has started ends with it, also where `up` itself was killed and could end nothing. Linux only."""

import ctypes
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent() -> Callable[[], None] | None:
    """What a child does before its program begins, so that the system sends it SIGTERM when its parent has died.

    Nothing where the system cannot (prctl(2), PR_SET_PDEATHSIG). The parent is the thread that starts it: one that
    lives as long as the process.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask
