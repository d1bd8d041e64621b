"""What a list operation answers, entry by entry: one entry that cannot be read does not hide the others."""

from pydantic import BaseModel, ConfigDict

from rever_api.models.process import ReturnProcess


class UnreadableProcess(BaseModel):
    """An entry of a page that is not a return process. `why` names fields and kinds of error, never values."""

    model_config = ConfigDict(frozen=True)

    process_id: str
    why: str


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
