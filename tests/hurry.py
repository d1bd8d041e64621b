"""Shorten what is only waiting: between a read's attempts, before an effect is tried again, and for a busy server.

How long these waits are is tried by the tests of the client, in time that passes only when asked.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from tenacity import wait_fixed

from rever_api import ClientConfig, limits
from tasks import desk
from tasks.effects import perform


def hurry(change: Callable[[Any, str, Any], None] = setattr) -> None:
    """Hurry this process; `change` sets an attribute of a module, so that a test can take it back."""
    change(desk, "ClientConfig", partial(ClientConfig, retry_after_cap=0.03, read_patience=3.0))
    change(limits, "_FIRST_WAIT", 0.01)
    change(limits, "_LONGEST_WAIT", 0.05)
    change(perform, "wait_exponential_jitter", lambda **_: wait_fixed(0.01))
