"""A fault on one return must not stop the others: what stops a run, and what is only that return's failure."""

import logging
import traceback
from pathlib import Path

from rever_api.errors import WrongSetup
from tasks.desk import DeskError
from tasks.ledger import LedgerError
from tasks.report import Failure

FATAL = (WrongSetup, LedgerError, DeskError)
"""Errors that every further return would meet too: the run stops and says so."""

log = logging.getLogger(__name__)


def own_fault(process_id: str, error: Exception) -> Failure:
    """The failure of a return that met a fault of this software.

    Kind and place only: an exception's text may quote a shopper's address.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    why = f"a fault of this software: {type(error).__name__} at {place}"
    log.error("%s: %s", process_id, why)
    return Failure(process_id, why, ours=True)
