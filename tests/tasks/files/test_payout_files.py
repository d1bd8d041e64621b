"""Payout files: recognised by their headers, each provider's traps, and nothing of a shopper in what is said."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.files.expense_statement import read_statement
from tasks.files.payout_file import PayoutFile, decimal_of, read_order_references, read_payout_file
from tasks.files.payout_formats import FORMATS
from tasks.files.table import InputFileError
from tasks.policy.payouts import FileRow, RowKind, Source
from tests.tasks.files.payouts import (
    ADYEN_HEADER,
    REDSYS_HEADER,
    SHOPPERS,
    STRIPE_HEADER,
    adyen_row,
    file_of,
    paypal_file,
    paypal_row,
    redsys_row,
    stripe_row,
)

NOON = datetime(2026, 11, 5, 12, tzinfo=UTC)


def read(folder: Path, text: str, *, encoding: str = "utf-8", zone: str = "") -> PayoutFile:
    path = folder / "payouts.csv"
    path.write_text(text, encoding=encoding)
    return read_payout_file(path, FORMATS, ZoneInfo(zone) if zone else None, zone)


def one(file: PayoutFile) -> FileRow:
    assert (file.refused, len(file.rows)) == ((), 1), file.refused
    return file.rows[0]


def why(file: PayoutFile) -> str:
    assert (len(file.refused), file.rows) == (1, ())
    return file.refused[0].why


@pytest.mark.parametrize(
    ("text", "encoding", "source", "reference"),
    [
        (file_of(STRIPE_HEADER, [stripe_row("1001", "-24.00")]), "utf-8", Source.STRIPE, "re_1"),
        (file_of(ADYEN_HEADER, [adyen_row("1001", "24.00")]), "utf-8", Source.ADYEN, "1700000000000001"),
        (paypal_file([paypal_row("1001", "2400")]), "utf-8", Source.PAYPAL, "TXN1"),
        (file_of(REDSYS_HEADER, [redsys_row("1001", "24,00")]), "cp1252", Source.REDSYS, "100001"),
        (file_of(REDSYS_HEADER, [redsys_row("1001", "24.00")]), "utf-8-sig", Source.REDSYS, "100001"),
    ],
)
def test_each_providers_refund_is_the_same_row(
    tmp_path: Path, text: str, encoding: str, source: Source, reference: str
) -> None:
    file = read(tmp_path, text, encoding=encoding)
    row = one(file)
    assert (row.source, row.kind, row.amount, row.currency) == (source, RowKind.REFUND, Decimal("24.00"), "EUR")
    assert (row.order, row.reference, row.at) == ("1001", reference, NOON)
    assert f"payouts.csv: {source}, " in file.how
    assert not [each for each in SHOPPERS if each in f"{file!r} {file.how}"]


def test_how_sure_it_is_is_said(tmp_path: Path) -> None:
    whole = read(tmp_path, file_of(STRIPE_HEADER, [stripe_row("1001", "-24.00")]))
    assert "(sure: 12 of the 12 columns that it has)" in whole.how
    assert whole.how.endswith("times by UTC")
    few = "created_utc,currency,gross,reporting_category,source_id"
    part = read(tmp_path, file_of(few, ["2026-11-05 12:00:00,eur,-24.00,refund,re_1"]))
    assert "(probable: 5 of the 12 columns that it has)" in part.how


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Date,Name,Amount", "no header of a known payout file is among its first 50 rows (the first has 3 cells)"),
        (ADYEN_HEADER.replace("TimeZone,", ""), "is nearest to Adyen, settlement details, and lacks timezone; export"),
        (STRIPE_HEADER.replace("gross", "gros"), "and lacks gross; export it with these columns"),
        (STRIPE_HEADER + ",gross", "the column 'gross' is there twice in row 1; keep one"),
    ],
)
def test_an_unknown_header_is_refused_with_what_is_nearest(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(InputFileError) as refused:
        read(tmp_path, file_of(header, ["2026-11-05,Ana Ruiz,24.00"]))
    assert said in str(refused.value)
    assert "Ana" not in str(refused.value)


# Stripe


def test_a_refund_that_failed_at_stripe_is_linked_with_it(tmp_path: Path) -> None:
    rows = [stripe_row("1001", "-24.00"), stripe_row("1001", "24.00", category="refund_failure")]
    refund, failed = read(tmp_path, file_of(STRIPE_HEADER, [rows[0], rows[1].replace("txn_1", "txn_2")])).rows
    assert (failed.kind, failed.amount, failed.link) == (RowKind.FAILED, Decimal("-24.00"), refund.link)


def test_charges_fees_and_payouts_are_no_refunds_and_are_still_in_the_sum(tmp_path: Path) -> None:
    rows = [stripe_row("1001", "99.00", n=1, category="charge"), stripe_row("", "-75.00", n=2, category="payout")]
    found = read(tmp_path, file_of(STRIPE_HEADER, rows)).rows
    assert [(it.kind, it.amount) for it in found] == [
        (RowKind.OTHER, Decimal("-99.00")),
        (RowKind.OTHER, Decimal("75.00")),
    ]


def test_a_refund_with_the_wrong_sign_is_refused_by_its_column(tmp_path: Path) -> None:
    balance = "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC)"
    line = "txn_1,refund,re_1,24.00,0.00,24.00,eur,2026-11-05 12:00:00,2026-11-07 00:00:00"
    assert why(read(tmp_path, file_of(balance, [line]))).startswith("'Amount' is 24.00, and the row is a refund; ")
    assert "a refund takes from the balance (negative)" in why(
        read(tmp_path, file_of(STRIPE_HEADER, [stripe_row("1001", "24.00")]))
    )


def test_what_the_shopper_got_counts_where_the_balance_is_in_another_currency(tmp_path: Path) -> None:
    header = f"{STRIPE_HEADER},customer_facing_amount,customer_facing_currency"
    row = one(read(tmp_path, file_of(header, [stripe_row("1001", "-24.00") + ",-280.00,sek"])))
    assert (row.amount, row.currency) == (Decimal("280.00"), "SEK")


def test_times_of_the_accounts_zone_need_that_zone(tmp_path: Path) -> None:
    text = file_of(STRIPE_HEADER.replace("created_utc", "created"), [stripe_row("1001", "-24.00")])
    with pytest.raises(InputFileError, match="its times have no zone; name the one it was made for"):
        read(tmp_path, text)
    file = read(tmp_path, text, zone="Europe/Madrid")
    assert file.how.endswith("times by Europe/Madrid")
    assert one(file).at == datetime(2026, 11, 5, 11, tzinfo=UTC)


# Adyen


@pytest.mark.parametrize(
    ("at", "zone", "hour"),
    [("2026-07-05 13:00:00", "CEST", 11), ("2026-11-05 13:00:00", "CET", 12), ("2026-07-05 13:00:00", "BST", 12)],
)
def test_adyens_times_are_in_the_zone_beside_them(tmp_path: Path, at: str, zone: str, hour: int) -> None:
    assert one(read(tmp_path, file_of(ADYEN_HEADER, [adyen_row("1", "24.00", at=at, zone=zone)]))).at.hour == hour


def test_adyens_direction_comes_from_the_column(tmp_path: Path) -> None:
    back = one(read(tmp_path, file_of(ADYEN_HEADER, [adyen_row("1", "24.00", word="RefundedReversed", side="credit")])))
    assert (back.kind, back.amount, back.asked) == (RowKind.REVERSED, Decimal("-24.00"), Decimal("24.00"))
    said = why(read(tmp_path, file_of(ADYEN_HEADER, [adyen_row("1", "24.00", side="credit")])))
    assert said == "a row of type Refunded has its amount on the wrong side; right would be the debit"


def test_adyens_fees_have_no_reference_and_no_gross(tmp_path: Path) -> None:
    fee = adyen_row("", "", word="Fee").replace("1700000000000001", "").replace("1800000000000001", "")
    assert one(read(tmp_path, file_of(ADYEN_HEADER, [fee]))).kind is RowKind.OTHER


# PayPal


@pytest.mark.parametrize(
    ("minor", "currency", "amount"), [("2400", "EUR", "24.00"), ("2400", "JPY", "2400"), ("24000", "KWD", "24.000")]
)
def test_paypals_amounts_are_in_the_currencys_smallest_unit(
    tmp_path: Path, minor: str, currency: str, amount: str
) -> None:
    file = read(tmp_path, paypal_file([paypal_row("1001", minor, currency=currency)]))
    assert str(one(file).amount) == amount
    assert bool(file.notes) is (currency == "JPY")


def test_paypals_sign_is_in_a_column_of_its_own(tmp_path: Path) -> None:
    rows = [paypal_row("1001", "2400"), paypal_row("1001", "2400", n=2, side="CR", of="TXN1")]
    refund, back = read(tmp_path, paypal_file(rows)).rows
    assert (back.kind, back.amount, back.link) == (RowKind.REVERSED, Decimal("-24.00"), refund.link)
    assert "right would be DR or CR" in why(read(tmp_path, paypal_file([paypal_row("1001", "2400", side="XX")])))
    assert "2400 is 24.00 EUR" in why(read(tmp_path, paypal_file([paypal_row("1001", "24.00")])))


def test_paypals_footers_are_no_payments_and_unknown_lines_are_refused(tmp_path: Path) -> None:
    text = paypal_file([paypal_row("1001", "2400"), '"Ana Ruiz","TXN2"'])
    file = read(tmp_path, text)
    assert len(file.rows) == 1
    assert [it.why for it in file.refused] == ["the line's type is a text of 8 characters"]


# Redsys


@pytest.mark.parametrize(
    ("amount", "found"), [("60,00", "60.00"), ("60.00", "60.00"), ("1.234,50", "1234.50"), ("1,234.50", "1234.50")]
)
def test_redsys_writes_points_or_commas(tmp_path: Path, amount: str, found: str) -> None:
    assert str(one(read(tmp_path, file_of(REDSYS_HEADER, [redsys_row("1", amount)]))).amount) == found


@pytest.mark.parametrize("amount", ["1.234", "1,234", "1.230", "60,0,0", "1.23.50", "60,001", "12e3", "Ana Ruiz"])
def test_an_amount_that_may_be_two_is_refused(tmp_path: Path, amount: str) -> None:
    said = why(read(tmp_path, file_of(REDSYS_HEADER, [redsys_row("1", amount)])))
    assert "right would be an amount with 2 decimals at most, such as 24.00" in said
    assert "Ana" not in said


def test_redsys_day_comes_first_and_the_zone_is_spains(tmp_path: Path) -> None:
    file = read(tmp_path, file_of(REDSYS_HEADER, [redsys_row("1", "60.00", at="04/07/2026;13:00:00")]))
    assert one(file).at == datetime(2026, 7, 4, 11, tzinfo=UTC)
    assert file.how.endswith("times by Europe/Madrid")


@pytest.mark.parametrize(
    ("kind", "result", "found", "amount"),
    [
        ("Devolución", "Denegada 9590", RowKind.FAILED, "0"),
        ("Devolución", "Sin Finalizar 9998", RowKind.FAILED, "0"),
        ("Autorización", "Autorizada AB1CD2", RowKind.OTHER, "-60.00"),
        ("Autorización", "Denegada 190", RowKind.OTHER, "0"),
    ],
)
def test_redsys_says_in_one_cell_how_it_ended(
    tmp_path: Path, kind: str, result: str, found: RowKind, amount: str
) -> None:
    row = one(read(tmp_path, file_of(REDSYS_HEADER, [redsys_row("1", "60.00", kind=kind, result=result)])))
    assert (row.kind, row.amount, row.asked) == (found, Decimal(amount), Decimal("60.00"))


def test_two_alike_rows_of_one_file_are_two(tmp_path: Path) -> None:
    first, second = read(tmp_path, file_of(REDSYS_HEADER, [redsys_row("1", "60.00")] * 2)).rows
    assert first.unique != second.unique


def test_a_name_in_the_place_of_an_order_is_not_shown(tmp_path: Path) -> None:
    for name in ("Ana Ruiz", "ana@shop.example"):
        row = one(read(tmp_path, file_of(ADYEN_HEADER, [adyen_row(name, "24.00")])))
        assert row.order == ""


def test_a_table_of_references_says_which_order_each_is_of(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("reference,order\n2604ABCDEFGH,#1001\nre_1,#1002\n")
    assert read_order_references(path) == {"2604ABCDEFGH": "#1001", "re_1": "#1002"}
    path.write_text("reference,order\nre_1,#1001\nre_1,#1002\nre_2,\n")
    with pytest.raises(InputFileError) as refused:
        read_order_references(path)
    assert "row 3, order is another than before for re_1; right would be one order for each reference" in str(
        refused.value
    )
    assert "row 4, order is empty; right would be the order's number" in str(refused.value)


@given(st.decimals(0, 10**9, places=2), st.sampled_from(".,"))
def test_an_amount_is_read_as_it_was_written(amount: Decimal, mark: str) -> None:
    other = "," if mark == "." else "."
    grouped = f"{amount:,}".replace(",", "x").replace(".", mark).replace("x", other)
    assert decimal_of(grouped, "EUR") == amount
    assert decimal_of(f"{amount}".replace(".", mark), "EUR") == amount


# REVER's statement

MAPPING = """
columns: {order: Pedido, amount: Bruto, date: Fecha}
currency: EUR
date_format: DD/MM/YYYY
zone: Europe/Madrid
footers: [Total]
"""
MONTHS = "columns: {period: Periodo, count: Count, amount: Bruto}\ncurrency: EUR\nzone: Europe/Madrid\n"


def statement(folder: Path, mapping: str, rows: str) -> tuple[Path, Path]:
    (folder / "suplidos.csv").write_text(rows)
    (folder / "mapping.yaml").write_text(mapping)
    return folder / "suplidos.csv", folder / "mapping.yaml"


def test_revers_statement_is_read_by_its_mapping(tmp_path: Path) -> None:
    rows = "Pedido;Fecha;Bruto\n#1001;05/11/2026;24,00\n#1002;06/11/2026;-8,00\nTotal;;16,00\n"
    found = read_statement(*statement(tmp_path, MAPPING, rows))
    assert [(it.order, it.kind, it.amount) for it in found.file.rows] == [
        ("#1001", RowKind.REFUND, Decimal("24.00")),
        ("#1002", RowKind.REVERSED, Decimal("-8.00")),
    ]
    assert found.methods == {"BANK_TRANSFER"}
    assert "by the mapping mapping.yaml" in found.file.how


def test_a_statement_of_sums_has_months_of_its_zone(tmp_path: Path) -> None:
    rows = "Periodo,Count,Bruto\n2026-11,3,72.00\n12/2026,1,24.00\nJuly,1,2.00\n"
    found = read_statement(*statement(tmp_path, MONTHS, rows))
    assert [(it.period, it.count, it.amount) for it in found.months] == [
        ("2026-11", 3, Decimal("72.00")),
        ("2026-12", 1, Decimal("24.00")),
    ]
    assert found.months[0].since == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert found.months[1].until == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert [it.why for it in found.file.refused] == [
        "'Periodo' is a text of 4 characters; right would be a month such as 2026-11"
    ]


@pytest.mark.parametrize("period", ["11/26", "26-11", "0000-11", "9999-13", "11/20260", "2026-11-05", "2026", "-11"])
def test_what_may_be_another_month_is_refused(tmp_path: Path, period: str) -> None:
    file = read_statement(*statement(tmp_path, MONTHS, f"Periodo,Count,Bruto\n{period},3,72.00\n")).file
    assert why(file) == f"'Periodo' is {period!r}; right would be a month such as 2026-11"


def test_a_mapping_that_lacks_something_says_what(tmp_path: Path) -> None:
    for mapping, said in (
        ("columns: {order: A, date: B}\n", "the column `amount`"),
        ("columns: {amount: A, date: B, order: C}\n", "the currency of all rows such as `currency: EUR`"),
        ("columns: {amount: A, order: C}\ncurrency: EUR\n", "the column `date`, and `order` or `reference`"),
        ("columns: {amount: A, period: C}\ncurrency: EUR\n", "of a statement of sums `period`, `count` and `amount`"),
    ):
        with pytest.raises(InputFileError, match=said):
            read_statement(*statement(tmp_path, mapping, "A,B,C\n1,2,3\n"))
