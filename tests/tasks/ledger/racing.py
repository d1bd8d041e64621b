"""What each of several processes does in a race."""

import json
import os
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tasks.ledger import Claim, Ledger, Sent, mark_sent
from tasks.policy.store import Guards
from tests.postgres import ACCOUNT
from tests.tasks.ledger.desk import FLOW, LEASE, NOON, Clock, LedgerDesk, request

RETURNS = 24
CAP = Decimal("170.00")
"""Room for 17 of the 24 refunds of 10.00."""


def main(url: str, go: str) -> None:
    """Open the (empty) ledger together with the others, claim and send all returns, and print what was mine."""
    Path(f"{go}.{os.getpid()}").touch()
    while not Path(go).exists():
        time.sleep(0.001)
    desk = LedgerDesk(Ledger.open(url, account=ACCOUNT, clock=Clock()))
    guards = Guards(max_per_day={"EUR": CAP}, max_refunds_per_shopper=100)
    sent: list[tuple[str, str]] = []
    for start in range(0, RETURNS, 4):
        batch = [request(f"p{n:02}", guards=guards) for n in range(start, start + 4)]
        claims = [decided.claim for decided in desk.decide(*batch) if decided.claim is not None]
        sent += [(claim.process_id, send(desk.ledger, claim, NOON)) for claim in claims]
    desk.ledger.close()
    print(json.dumps(sent))


def send(ledger: Ledger, claim: Claim, now: datetime) -> str:
    """Mark it as sent."""
    (verdict,) = ledger.write(mark_sent, [Sent(claim, {}, now + LEASE, now + LEASE, now, FLOW)])
    return str(verdict.sending)
