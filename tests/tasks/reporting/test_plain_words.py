"""REVER's words as people read them."""

from tasks.reporting.plain_words import plain_words
from tasks.reporting.report import Mode, ReturnsReport
from tasks.reporting.report_page import report_page


def test_revers_spelling_becomes_words_but_not_what_is_unknown_nor_a_setting_nor_a_store() -> None:
    said = "refunds 10.00 EUR by ORIGINAL_PAYMENT_METHOD at ACME_ES; not known here: 'STORE_CREDIT_PLUS' (REVER_LEASE)"
    assert plain_words(said) == (
        "refunds 10.00 EUR by original payment method at ACME_ES; not known here: 'STORE_CREDIT_PLUS' (REVER_LEASE)"
    )
    assert plain_words("DROP_OFF_POINT, GIFT_CARDs") == "drop off point, GIFT_CARDs"


def test_notes_have_them_too_but_not_the_json() -> None:
    report = ReturnsReport(
        "reconcile", mode=Mode.ACT, notes=["paid 4.00 EUR by GIFT_CARD"], headline="by BANK_TRANSFER"
    )
    shown = "\n".join([*report.lines(), report_page(report)])
    assert shown.count("by gift card") == 2
    assert "by bank transfer" in shown
    assert report.as_json()["notes"] == ["paid 4.00 EUR by GIFT_CARD"]
