"""A fault on one return must not stop the others: what stops a run, and what is only that return's failure."""

import logging
import traceback
from pathlib import Path

import httpx

from rever_api.config import EndpointsError
from rever_api.errors import ReverError, WrongSetup
from tasks.desk import DeskError
from tasks.ledger import AnswerError, LedgerError
from tasks.policy.policy_file import PolicyFileError
from tasks.reporting.report import Failure
from tasks.settings import SettingsError

FATAL = (WrongSetup, LedgerError, DeskError)
"""Errors that every further return would meet too: the run stops and says so."""

SAID = (ReverError, LedgerError, AnswerError, DeskError, SettingsError, PolicyFileError, EndpointsError, TimeoutError)
"""Errors whose text is a sentence of ours for people, without a shopper in it."""

log = logging.getLogger(__name__)


class OwnFaultError(Exception):
    """An error nobody foresaw, as it may be shown: its kind and place, and not its text."""


def presentable(error: Exception) -> Exception:
    """The error itself where its text is a sentence of ours, else an `OwnFaultError` that stands for it."""
    if isinstance(error, httpx.HTTPError):  # the calls to REVER raise errors of their own
        kind = type(error).__name__
        return DeskError(
            f"Prefect's server did not answer ({kind}); what was done is in the ledger, the next run goes on"
        )
    return error if isinstance(error, (*SAID, OwnFaultError)) else OwnFaultError(_kind_and_place(error))


def failure(process_id: str, error: Exception) -> Failure:
    """What stopped the work on a return: what REVER did, in its sentence, or else a fault of this software."""
    return Failure(process_id, str(error)) if isinstance(error, ReverError) else own_fault(process_id, error)


def own_fault(process_id: str, error: Exception) -> Failure:
    """The failure of a return that met a fault of this software."""
    why = _kind_and_place(error)
    log.error("%s: %s", process_id, why)
    return Failure(process_id, why, ours=True)


def _kind_and_place(error: Exception) -> str:
    """Kind and place only: an exception's text may quote a shopper's address."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    return f"a fault of this software: {type(error).__name__} at {place}"
