"""Reading JSON into the contract's objects: one, several, or the entries of a page. Errors never quote a value."""

from typing import Any, TypeVar

from pydantic import ValidationError

from rever_api.answers import Answer
from rever_api.models import ReturnProcess, UnreadableProcess
from rever_api.models.base import ApiModel

LISTS = ("processes", "return_processes", "results")
"""The names under which the list of a page may stand (REVER's is not confirmed)."""

_Model = TypeVar("_Model", bound=ApiModel)


def listed(document: Any) -> list[Any] | None:
    """Find the list of an envelope, or None where there is none."""
    if isinstance(document, dict):
        return next((document[name] for name in LISTS if isinstance(document.get(name), list)), None)
    return document if isinstance(document, list) else None


def says_empty(document: dict[str, Any], rowcount: int | None) -> bool:
    """Whether a page without a list says that it is empty: proto3 JSON leaves an empty list out, or says null."""
    found = [document[name] for name in LISTS if name in document]
    return not any(found) and (rowcount == 0 or bool(found))


def entry(item: Any) -> ReturnProcess | UnreadableProcess:
    """Read one entry of a page, or say why it cannot be read."""
    try:
        return ReturnProcess.model_validate(item)
    except ValidationError as error:
        process_id = item.get("rever_process_id") if isinstance(item, dict) else None
        return UnreadableProcess(process_id=process_id if isinstance(process_id, str) else "", why=_why(error))


def same_process(answer: Answer, document: Any, process_id: str) -> ReturnProcess:
    """Read a process and insist on its id."""
    read = one(answer, document, ReturnProcess)
    if read.rever_process_id != process_id:
        raise answer.unreadable("it is about another process")
    return read


def one(answer: Answer, document: Any, model: type[_Model]) -> _Model:
    """Read one object of the contract."""
    if not isinstance(document, dict) or not document:
        raise answer.unreadable(f"it holds no {model.__name__}")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise answer.unreadable(f"it is no {model.__name__} ({_why(error)})") from None


def several(answer: Answer, name: str, model: type[_Model]) -> tuple[_Model, ...]:
    """Read a list of objects, under its name or bare; an absent list is an empty one, as `null` is."""
    document = answer.document()
    listed = document.get(name) or [] if isinstance(document, dict) else document
    if not isinstance(listed, list):
        raise answer.unreadable(f"there is no list under {name}")
    return tuple(one(answer, item, model) for item in listed)


def _why(error: ValidationError) -> str:
    """Say which fields are wrong and how, without their values."""
    wrong = [f"{'.'.join(str(part) for part in item['loc']) or 'entry'}: {item['type']}" for item in error.errors()]
    return "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
