"""The settings of a desk in the proof, and an empty ledger for it."""

import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from threading import Lock

from rever_api.sandbox import RunningSandbox
from tasks.ledger import Ledger

ACCOUNT, STORE = "proof", "acme"
TIMEOUT_S, SETTLE_AFTER_S, LEASE_S = 1.0, 900, 60


def environment_of(sandbox: RunningSandbox, ledger_url: str) -> dict[str, str]:
    """The variables of a worker that serves this sandbox with this ledger."""
    return {
        "REVER_BASE_URL": sandbox.base_url,
        "REVER_API_KEY": sandbox.api_key,
        "REVER_ACCOUNT": ACCOUNT,
        "REVER_STORES": STORE,
        "REVER_LEDGER_URL": ledger_url,
        "REVER_TIMEOUT": str(TIMEOUT_S),
        "REVER_SETTLE_AFTER": str(SETTLE_AFTER_S),
        "REVER_LEASE": str(LEASE_S),
    }


_making = Lock()


def empty_sqlite(folder: Path) -> str:
    """The URL of an empty ledger: a copy of one that was migrated once."""
    path = folder / "ledger.sqlite"
    with _making:
        path.write_bytes(_template())
    return f"sqlite:///{path}"


@cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        path = Path(folder) / "ledger.sqlite"
        Ledger.open(f"sqlite:///{path}", account=ACCOUNT, clock=lambda: datetime.now(UTC)).close()
        return path.read_bytes()
