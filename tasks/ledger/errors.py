"""What can go wrong with the ledger, each with a sentence that says which ledger and how to mend it."""

from tasks.database import DatabaseError

LedgerError = DatabaseError
"""The ledger cannot be used. What its database raises and what the ledger itself raises are caught alike."""


class NoLedgerError(LedgerError):
    """There is no ledger where one was expected: a wrong `REVER_LEDGER_URL`, an unmounted volume, a first start.

    None was made: it would know nothing of what was paid.
    """


class AnswerError(LedgerError):
    """An answer to a hold that cannot be carried out: no such hold, or something that it needs is missing."""


class OutdatedAnswer(AnswerError):  # noqa: N818 - it is the answer's fault, and says so
    """An answer to a hold that has changed or been answered since it was listed. Nothing was done.

    `state` is the hold's present state (`open`, `answered` or `closed`) and `version` its present version.
    """

    def __init__(self, sentence: str, *, state: str, version: int) -> None:
        super().__init__(sentence)
        self.state = state
        self.version = version
