"""What an event is about: by its URL, else by the state it tells."""

import pytest

from deployments.receiver.delivery import Kind, kind_of


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("created", Kind.CREATED),
        ("onReturnProcessCreation", Kind.CREATED),
        ("shipping-update", Kind.UNKNOWN),
        ("Shipping", Kind.SHIPPED),
        ("completion", Kind.COMPLETED),
        ("canceled", Kind.CANCELLED),
        ("cancelled", Kind.CANCELLED),
        ("refund", Kind.UNKNOWN),
    ],
)
def test_the_url_says_it(event: str, kind: Kind) -> None:
    assert kind_of(event, "COMPLETED" if kind is not Kind.COMPLETED else "RUNNING", "", None) is kind


@pytest.mark.parametrize(
    ("status", "shipping", "known", "kind"),
    [
        ("CANCELED", "CREATED", None, Kind.CANCELLED),
        ("COMPLETED", "IN_WAREHOUSE", "COLLECTED", Kind.COMPLETED),
        ("RUNNING", "CREATED", None, Kind.CREATED),
        ("RUNNING", "COLLECTED", "CREATED", Kind.SHIPPED),
        ("RUNNING", "CREATED", "CREATED", Kind.UNKNOWN),
        ("RUNNING", "", "CREATED", Kind.UNKNOWN),
        ("ON_HOLD", "CREATED", "CREATED", Kind.UNKNOWN),
        ("A_NEW_ONE", "", None, Kind.CREATED),
    ],
)
def test_without_one_the_state_says_it(status: str, shipping: str, known: str | None, kind: Kind) -> None:
    assert kind_of("", status, shipping, known) is kind
