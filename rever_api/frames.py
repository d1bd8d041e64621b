"""What was found as a table of pandas, which is imported where a table is made.

An object in an object becomes columns of its own (`shopper.email`); a list stays one column, or becomes the rows
(`per="return_line_items"`). Amounts stay `Decimal`, times stay aware. The shopper's data is left out unless asked for:
a table is printed, pickled and sent on.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, get_args, get_origin

from pydantic import BaseModel

if TYPE_CHECKING:
    from pandas import DataFrame

Entry = TypeVar("Entry", bound=BaseModel)


class Results(tuple[Entry, ...], Generic[Entry]):
    """What a list of REVER's holds: a tuple that can become a table."""

    _model: type[BaseModel]

    @classmethod
    def of(cls, model: type[Entry], entries: Iterable[Entry]) -> Self:
        """The entries; `model` gives the columns where there are none."""
        made = cls(entries)
        made._model = model
        return made

    def to_frame(self, *, per: str = "", personal: bool = False) -> "DataFrame":
        """One row for each entry (`to_frame`)."""
        return to_frame(self, self._model, per=per, personal=personal)


def to_frame(
    entries: Iterable[BaseModel], model: type[BaseModel] | None = None, *, per: str = "", personal: bool = False
) -> "DataFrame":
    """One row for each entry, or for each entry of the list that `per` names (`return_line_items`, `reviews`,
    `compensation.refunds`), beside the columns of what it is in; an empty list then has no row.

    The columns are the fields of `model`, by default of the first entry's class, whatever the entries hold. With
    `personal` the shopper's data has columns too, and so have the fields that are unknown here, which may hold it.

    Raises ValueError for a `per` that names no list of objects.
    """
    from pandas import DataFrame  # noqa: PLC0415 - it takes a second, and few make tables

    listed = list(entries)
    if model is None:
        if not listed:
            return DataFrame()
        model = type(listed[0])
    each = _list(model, per)
    columns = dict.fromkeys(_row(None, model, "", personal=personal))
    columns.pop(per, None)
    if each is not None:
        columns |= dict.fromkeys(_row(None, each, f"{per}.", personal=personal))
    rows = []
    for entry in listed:
        row = _row(entry, model, "", personal=personal)
        parts = row.pop(per, None) or () if each is not None else (None,)
        for part in parts:
            rows.append(row if each is None else row | _row(part, each, f"{per}.", personal=personal))
            columns |= dict.fromkeys(rows[-1])
    # As objects first: pandas would make a float of a whole number beside a None.
    return DataFrame(rows, columns=list(columns), dtype=object).infer_objects()


def _row(value: BaseModel | None, model: type[BaseModel], prefix: str, *, personal: bool) -> dict[str, Any]:
    """The columns of one object, those of the objects in it among them."""
    row: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if info.repr is False and not personal:
            continue
        column, item = prefix + (info.alias or name), getattr(value, name, None)
        inner, is_list = _kind(info.annotation)
        if inner is not None and not is_list:
            row |= _row(item, inner, f"{column}.", personal=personal)
        else:
            row[column] = item
    if personal and value is not None:
        row |= {prefix + name: item for name, item in (value.model_extra or {}).items()}
    return row


def _list(model: type[BaseModel], per: str) -> type[BaseModel] | None:
    """The class of the entries of the list that `per` names."""
    lists = dict(_lists(model, ""))
    if per and per not in lists:
        raise ValueError(f"per={per!r} names no list of objects; it may be {', '.join(lists) or 'left out only'}.")
    return lists.get(per)


def _lists(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, info in model.model_fields.items():
        column = prefix + (info.alias or name)
        inner, is_list = _kind(info.annotation)
        if inner is not None and is_list:
            yield column, inner
        elif inner is not None:
            yield from _lists(inner, f"{column}.")


def _kind(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The class of the objects that a field holds, if it holds any, and whether it is a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    inner = next((found for part in get_args(annotation) if (found := _kind(part)[0]) is not None), None)
    is_list = get_origin(annotation) is tuple or any(_kind(part)[1] for part in get_args(annotation))
    return inner, is_list
