"""A flow's parameters as given on the command line: `name=value` pairs, checked against the flow's own form."""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from deployments.cli_errors import UsageError
from flows.catalog import FLOWS
from tasks.settings.errors import expected


def form_of(flow: str) -> type[BaseModel]:
    """The parameter model of a flow. Raises UsageError for a name that is no flow."""
    if flow not in FLOWS:
        nearest = get_close_matches(flow, FLOWS, n=1)
        meant = f" Did you mean {nearest[0]}?" if nearest else ""
        raise UsageError(f"{flow!r} is no flow.{meant} The flows are: {', '.join(FLOWS)}.")
    form = import_module(FLOWS[flow]).Parameters
    if not (isinstance(form, type) and issubclass(form, BaseModel)):
        raise TypeError(f"{FLOWS[flow]}.Parameters is no pydantic model")
    return form


def checked(flow: str, pairs: Sequence[str]) -> dict[str, str]:
    """The parameters by name, as text, once the flow's form has accepted them.

    Raises UsageError naming the parameter, what was found and what would be right.
    """
    form = form_of(flow)
    values = _split(flow, form, pairs)
    read = {name: _listed(form.model_fields[name], value) for name, value in values.items()}
    try:
        form.model_validate(read)
    except ValidationError as failed:
        problems = [_sentence(error, values) for error in failed.errors(include_url=False)]
        raise UsageError("\n".join([*problems, _parameters(flow, form)])) from None
    return values


def _split(flow: str, form: type[BaseModel], pairs: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            problem = f"{pair!r} is no parameter: write name=value."
        elif name not in form.model_fields:
            nearest = get_close_matches(name, form.model_fields, n=1)
            problem = f"{name!r} is no parameter of {flow}." + (f" Did you mean {nearest[0]}?" if nearest else "")
        elif name in values:
            problem = f"{name} is given twice: {values[name]!r} and {value!r}."
        elif not value.strip():
            # An unset shell variable must not turn a cap or a choice of stores into "all".
            problem = f"{name} is given no value: leave it out, or say one."
        else:
            values[name] = value
            continue
        raise UsageError(f"{problem}\n{_parameters(flow, form)}")
    return values


def _listed(field: FieldInfo, value: str) -> Any:
    kinds = {get_origin(kind) or kind for kind in (field.annotation, *getattr(field.annotation, "__args__", ()))}
    if not kinds & {list, tuple, set, frozenset}:
        return value
    return [part for piece in value.split(",") if (part := piece.strip())]


def _sentence(error: Any, values: dict[str, str]) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "missing":
        return f"{name} is needed: say {name}=VALUE."
    found = f"{name}={values[name]!r}: " if name in values else ""
    return f"{found}{expected(error['type'], error['msg'], error.get('ctx', {}))}."


def _parameters(flow: str, form: type[BaseModel]) -> str:
    lines = [f"  {name}{'' if field.is_required() else _default(field)}" for name, field in form.model_fields.items()]
    told = [f"{line}: {field.description}" for line, field in zip(lines, form.model_fields.values(), strict=True)]
    return "\n".join([f"The parameters of {flow}:", *told])


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    return f" ({value})" if value not in (None, [], ()) else ""
