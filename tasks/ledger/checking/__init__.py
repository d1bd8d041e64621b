"""Check a ledger: whether what it says can be true. Each broken rule is one finding, in a sentence.

`check` reads only. It is for a cron job, for the minute before a restore, and for whoever doubts.
"""

from tasks.ledger.checking.check import Checked, check
from tasks.ledger.checking.finding import Finding

__all__ = ["Checked", "Finding", "check"]
