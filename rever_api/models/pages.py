"""What a list operation answers, entry by entry: one entry that cannot be read does not hide the others."""

from pydantic import BaseModel, ConfigDict

from rever_api.models.process import ReturnProcess


class UnreadableProcess(BaseModel):
    """A return process that cannot be read. `why` names the fields, what was found and what would be right.

    What was found is told by its kind, and by its figures where it holds nothing else. The ids and the order's name are
    empty where they cannot be read either.
    """

    model_config = ConfigDict(frozen=True)

    process_id: str
    why: str
    ecommerce_id: str = ""
    order_name: str = ""


class SearchPage(BaseModel):
    """One page of searchReturnProcesses. `rowcount` is the number of matches over all pages, where REVER said it."""

    model_config = ConfigDict(frozen=True)

    processes: tuple[ReturnProcess | UnreadableProcess, ...]
    rowcount: int | None = None


class ImportResult(BaseModel):
    """The fate of one return of importReturns, in the order they were sent."""

    model_config = ConfigDict(frozen=True)

    process_id: str = ""
    error: str = ""
