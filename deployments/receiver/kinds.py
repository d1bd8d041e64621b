"""What an event is about. REVER names it nowhere in the body: its URL may say it, else the return's state does."""

from enum import StrEnum

from rever_api.models import ProcessStatus

EXAMPLE = "example_"
"""How the id of an invented return begins (`webhook send`). REVER's begin with `retp_`."""


class Kind(StrEnum):
    """The kinds of event. Each has a run look at the return; the kind itself decides nothing."""

    CREATED = "created"
    SHIPPED = "shipped"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


_NAMES = {
    Kind.CREATED: ("created", "creation", "onreturnprocesscreation"),
    Kind.SHIPPED: ("shipped", "shipping", "onreturnprocessshipping"),
    Kind.COMPLETED: ("completed", "completion", "onreturnprocesscompletion"),
    Kind.CANCELLED: ("cancelled", "canceled", "cancellation", "onreturnprocesscancellation"),
}
_BY_NAME = {name: kind for kind, names in _NAMES.items() for name in names}
_BY_STATUS = {ProcessStatus.COMPLETED: Kind.COMPLETED, ProcessStatus.CANCELED: Kind.CANCELLED}


def kind_of(event: str, status: str, shipping: str, known_shipping: str | None) -> Kind:
    """The kind by the URL's last part (`event`, may be empty), else by the state that the body tells.

    `known_shipping` is the shipping status told before; None where nothing was ever told about this return.
    """
    if event:
        return _BY_NAME.get(event.lower().replace("-", "").replace("_", ""), Kind.UNKNOWN)
    if status in _BY_STATUS:
        return _BY_STATUS[ProcessStatus(status)]
    if known_shipping is None:
        return Kind.CREATED
    return Kind.SHIPPED if shipping and shipping != known_shipping else Kind.UNKNOWN
