"""Start a sandbox in this process, on its own thread, and hand out what belongs to it."""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

DEFAULT_PORT, DEFAULT_RETURNS, DEFAULT_SEED = 8765, 60, 7
DEFAULT_SHOPS = ("acme", "nordic")  # and "autopay", whose REVER pays by itself, where asked


class RunningSandbox(Protocol):
    """A running sandbox: where it listens, and all one may do to it from the same process.

    `books.effects` is a tuple of every effect carried out (`number, at, process_id, store, operation, by, amount,
    currency, type, items, status_before`), `books.paid()` currency -> Decimal paid through the API.
    """

    base_url: str
    api_key: str
    group: str
    stores: tuple[str, ...]
    sandbox: Any
    books: Any
    faults: Any

    def audit(self) -> Any:
        """Judge the books: `.violations`, `.due`, `.paid`, `.due_total`, `.forgotten(explained)`, `.clean`."""

    def set_faults(self, faults: str) -> None:
        """Take another mix: `mixed`, `mixed:0.4`, `ambiguous-1`, `none`, or `OPERATION:NTH:FAULT`, comma-separated."""

    def stop_faults(self) -> None:
        """End all faults and carry out what was to be acted on later."""

    def process_ids(self, scenario: str = "", store: str = "") -> tuple[str, ...]:
        """Ids of the seeded returns of a scenario (all scenarios: `rever_api.sandbox.seed.SCENARIOS`) and store."""

    def act(self, action: str, process_id: str, **parameters: Any) -> None:
        """Do what a shopper, the warehouse, a carrier or the back office does: `review`, `collect`, `arrive`,
        `cancel`, `hold`, `release`, `pay`.
        """

    def outage(self) -> AbstractContextManager[None]:
        """Refuse connections for real while the block runs."""


@contextmanager
def running_sandbox(
    *,
    seed: int = DEFAULT_SEED,
    returns: int = DEFAULT_RETURNS,
    port: int = 0,
    shops: Collection[str] = DEFAULT_SHOPS,
    faults: str = "none",
    pays_itself_after: float = 2.0,
    completion_delay: float = 0.0,
    checks_amounts: bool = False,
) -> Iterator[RunningSandbox]:
    """Yield a sandbox that answers on 127.0.0.1, and stop it cleanly at the end of the block."""
    raise NotImplementedError
    yield


def serve(
    port: int = DEFAULT_PORT,
    seed: int = DEFAULT_SEED,
    returns: int = DEFAULT_RETURNS,
    faults: str = "none",
    shops: Collection[str] = DEFAULT_SHOPS,
) -> None:
    """Run until SIGINT or SIGTERM; print the address, the key, the stores and two example commands."""
    raise NotImplementedError
