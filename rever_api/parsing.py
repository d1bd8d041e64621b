"""Reading JSON into the contract's objects: one, several, or the entries of a page. Errors never quote a value."""

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from rever_api.answers import Answer
from rever_api.errors import Unreadable
from rever_api.models import ReturnProcess, UnreadableProcess
from rever_api.models.base import UNREADABLE, ApiModel, LooseId, Text

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
        return _unreadable(item, error)


def _unreadable(item: Any, error: ValidationError) -> UnreadableProcess:
    """What can be told of a return that cannot be read: the ids in it that can."""
    fields = item if isinstance(item, dict) else {}
    return UnreadableProcess(
        process_id=_loose_id(fields.get("rever_process_id")),
        ecommerce_id=_loose_id(fields.get("ecommerce_id")),
        order_name=_text(fields.get("order_name")),
        why=_why(error),
    )


def same_process(answer: Answer, document: Any, process_id: str) -> ReturnProcess:
    """Read a process and insist on its id. Raises `Unreadable` where it is the one, and cannot be read."""
    if not isinstance(document, dict) or not document:
        raise answer.unreadable("it holds no ReturnProcess")
    try:
        read = ReturnProcess.model_validate(document)
    except ValidationError as error:
        found = _unreadable(document, error)
        if found.process_id != process_id:
            raise answer.unreadable(f"it is no ReturnProcess ({found.why})") from None
        sentence = f"REVER answered {answer.status} to {answer.operation}, but the return cannot be read: {found.why}."
        raise Unreadable(sentence, process=found, operation=answer.operation, status=answer.status) from None
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


_MOST_TOLD = 3
_loose_id = TypeAdapter(LooseId).validate_python
_text = TypeAdapter(Text).validate_python


def _why(error: ValidationError) -> str:
    """Say which fields are wrong, what was found in them and what would be right; never a word that was found."""
    wrong = error.errors(include_url=False)
    told = [f"{_field(item['loc'])}: {_what(item['type'], item['msg'])}" for item in wrong[:_MOST_TOLD]]
    return "; ".join(told) + (f"; and {len(wrong) - _MOST_TOLD} more" if len(wrong) > _MOST_TOLD else "")


def _field(path: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in path if isinstance(part, int) or part.isidentifier()) or "entry"


def _what(kind: str, said: str) -> str:
    """The models' own words hold no text that was found; of pydantic's only the kind of error is known not to."""
    return said if kind == UNREADABLE else kind
