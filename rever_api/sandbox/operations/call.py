"""What an operation is given, and how models become JSON as REVER's gateway writes it."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rever_api.models import ReturnProcess
from rever_api.sandbox.refusal import invalid, unreadable

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read. `body` is what its JSON says, with numbers as Decimal; None where there was none.

    `stale` has a read show how things were before the last change; `moved` shifts a page of a search, as a list does
    that grows (-1, an entry comes again) or shrinks (1, an entry is skipped) between two pages.
    """

    operation: str
    process_id: str = ""
    query: dict[str, str] = field(default_factory=dict)
    body: Any = field(default=None, repr=False)
    base_url: str = ""
    stale: bool = False
    moved: int = 0

    @property
    def subject(self) -> str:
        """What the call is about: a process, a store or a group."""
        store = self.body.get("ecommerce_id") if isinstance(self.body, dict) else None
        return (
            self.process_id
            or self.query.get("ecommerce_id", "")
            or self.query.get("ecommerce_group", "")
            or str(store or "")
        )

    def read(self, model: type[_Model]) -> _Model:
        """Return the body as `model`, or refuse with 400."""
        try:
            return model.model_validate(self.body if self.body is not None else {})
        except ValidationError as error:
            raise unreadable(error) from None

    def part(self, name: str) -> Any:
        """Return one member of the body, or refuse with 400 where the body is no object or has it not."""
        if not isinstance(self.body, dict) or name not in self.body:
            raise invalid(f"{name}: missing")
        return self.body[name]

    def list_of(self, name: str, model: type[_Model]) -> tuple[_Model, ...]:
        """Return a non-empty list member of the body as models, or refuse with 400."""
        entries = self.part(name)
        if not isinstance(entries, list) or not entries:
            raise invalid(f"{name}: must be a list with something in it")
        try:
            return tuple(model.model_validate(entry) for entry in entries)
        except ValidationError as error:
            raise unreadable(error) from None


def wire(model: BaseModel) -> dict[str, Any]:
    """Return the model's JSON: money as strings, times in ISO 8601, what is not set left out."""
    body: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(model, ReturnProcess):
        body.setdefault("compensation", {"refunds": []}).setdefault("exchange_order", None)
    return body
