"""The kinds of effect, by their names in the ledger. A further one is a module here and its call in `tasks.effects`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tasks.policy.kinds.cancel import CANCEL
from tasks.policy.kinds.create_return import CREATE_RETURN
from tasks.policy.kinds.exchange import EXCHANGE
from tasks.policy.kinds.kind import Content, Due, Kind, Side, UnitKey
from tasks.policy.kinds.label import LABEL
from tasks.policy.kinds.refund import REFUND
from tasks.policy.kinds.register_label import REGISTER_LABEL
from tasks.policy.kinds.review import REVIEW

__all__ = [
    "CANCEL",
    "CREATE_RETURN",
    "EXCHANGE",
    "KINDS",
    "LABEL",
    "REFUND",
    "REGISTER_LABEL",
    "REVIEW",
    "Content",
    "Due",
    "Kind",
    "Side",
    "UnitKey",
]

KINDS: Mapping[str, Kind[Any, Any]] = MappingProxyType(
    {kind.name: kind for kind in (REFUND, EXCHANGE, LABEL, REVIEW, CANCEL, REGISTER_LABEL, CREATE_RETURN)}
)
"""Name -> kind, for an `IntentKind` and for the text of a row."""
