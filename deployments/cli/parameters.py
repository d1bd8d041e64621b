"""`name=value` pairs as typed on the command line. What the names and values mean is the flow's form's business."""

from collections.abc import Sequence

from deployments.console.errors import UsageError


def split_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """The values by name, as text. Raises UsageError for what is no pair, comes twice, or is empty.

    An empty value is refused because an unset shell variable (`max_amount=$CAP`) must not mean "no cap", nor
    `stores=$STORE` mean "all stores".
    """
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UsageError(f"{pair!r} is no parameter: write name=value.")
        if not value.strip(" ,"):
            raise UsageError(f"{name} is given no value: say one, or leave {name} out.")
        if name in values:
            raise UsageError(f"{name} is given twice, as {values[name]!r} and as {value!r}: say it once.")
        values[name] = value
    return values
