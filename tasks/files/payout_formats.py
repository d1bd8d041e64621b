"""The payout files of Stripe, Adyen, PayPal and Redsys: their columns, and what a row of each says.

Headers are those of the providers' own pages. What is not from there is said to be so at its place.
"""

import re
from datetime import UTC, tzinfo
from decimal import Decimal
from types import MappingProxyType

from tasks.files.dates import DateFormat, zone_named
from tasks.files.mapped_rows import RefusedRowError
from tasks.files.payout_file import NEEDS_ZONE, Cells, PayoutFormat, quoted, shown_reference
from tasks.policy.money import ZERO, minor_unit, payable
from tasks.policy.payouts import FileRow, RowKind, Source

# Stripe: major units, currency in small letters. What it takes from the balance is negative.

_STRIPE_KINDS = MappingProxyType({"refund": RowKind.REFUND, "refund_failure": RowKind.FAILED})
"""Reporting category -> what it is. `refund_failure` is not on the pages that were read; its amount is positive."""
_OF_ORDER = re.compile(r"(?:payment|charge|refund)_metadata\[(?:order|order_id|order_name|order_number)\]")
_METADATA = re.compile(r"(?:payment|charge|refund)_metadata\[.+\]")


def _stripe(cells: Cells) -> FileRow:
    kind_word = cells.text("reporting_category", "type").casefold()
    kind = _STRIPE_KINDS.get(kind_word, RowKind.OTHER)
    paid_in = cells.currency("currency")
    column = "gross" if "gross" in cells.places else "amount"
    moved = cells.amount(column, paid_in)
    currency, amount = paid_in, abs(moved)
    facing = next((it for it in ("customer_facing_amount", "customer facing amount") if cells.text(it)), "")
    if facing:  # the balance is in another currency than the refund
        currency = cells.currency(facing.replace("amount", "currency"))
        amount = abs(cells.amount(facing, currency))
    if (kind is RowKind.REFUND and moved > 0) or (kind is RowKind.FAILED and moved < 0):
        right = "a refund takes from the balance (negative), and one that failed puts it back (positive)"
        raise RefusedRowError(f"{cells.named(column)} is {moved}, and the row is a {kind_word}; {right}")
    created = next(it for it in _STRIPE_CREATED if it in cells.places)
    at = cells.at(created, zone=UTC if "utc" in created else None)
    metadata = {column: cells.text(column) for column in cells.places if _METADATA.fullmatch(column)}
    source = cells.text("source_id", "source")
    order = next((text for column, text in metadata.items() if _OF_ORDER.fullmatch(column) and text), "")
    return FileRow(
        source=Source.STRIPE,
        file="",
        number=cells.row.number,
        kind=kind,
        type=kind_word,
        amount=_went_out(kind, amount, moved),
        asked=amount,
        currency=currency,
        at=at,
        order=shown_reference(order or cells.text("order_id")),
        reference=shown_reference(source),
        references=tuple(
            filter(None, (source, *(cells.text(it) for it in _STRIPE_IDS), *metadata.values())),
        ),
        link=source,
        unique=cells.text("balance_transaction_id", "id"),
    )


def _went_out(kind: RowKind, amount: Decimal, moved: Decimal) -> Decimal:
    """What went to the shopper, of an amount that was `moved` on the shop's balance."""
    if kind is RowKind.OTHER:
        return -amount if moved > 0 else amount
    return amount if kind is RowKind.REFUND else -amount


_STRIPE_IDS = ("refund_id", "charge_id", "payment_intent_id")
_STRIPE_CREATED = ("created_utc", "created (utc)", "created")

STRIPE = PayoutFormat(
    source=Source.STRIPE,
    name="Stripe, itemised payout reconciliation or balance change",
    needed=(("reporting_category",), ("gross",), ("currency",), ("created_utc",), ("source_id",)),
    known=(
        *("automatic_payout_id", "automatic_payout_effective_at_utc", "balance_transaction_id", "created_utc"),
        *("currency", "gross", "fee", "net", "reporting_category", "source_id", "payment_intent_id", "charge_id"),
    ),
    read=_stripe,
    zone="UTC",
)
STRIPE_LOCAL = PayoutFormat(
    source=Source.STRIPE,
    name="Stripe, itemised, with times of the account's zone",
    needed=(("reporting_category",), ("gross",), ("currency",), ("created",), ("source_id",)),
    known=("balance_transaction_id", "created", "currency", "gross", "fee", "net", "reporting_category", "source_id"),
    read=_stripe,
    zone=NEEDS_ZONE,
)
STRIPE_BALANCE = PayoutFormat(  # these column names are from memory
    source=Source.STRIPE,
    name="Stripe, balance transactions",
    needed=(("type",), ("source",), ("amount",), ("currency",), ("created (utc)",), ("net",)),
    known=("id", "type", "source", "amount", "fee", "net", "currency", "created (utc)", "available on (utc)"),
    read=_stripe,
    zone="UTC",
)

# Adyen: debit and credit in two columns, in the currency of the payment; times in the zone beside them.

_ADYEN_KINDS = MappingProxyType({"refunded": RowKind.REFUND, "refundedreversed": RowKind.REVERSED})
_SUMMER = MappingProxyType(
    {
        **dict.fromkeys(("CET", "CEST"), "Europe/Amsterdam"),
        **dict.fromkeys(("GMT", "BST"), "Europe/London"),
        **dict.fromkeys(("EST", "EDT"), "America/New_York"),
        **dict.fromkeys(("PST", "PDT"), "America/Los_Angeles"),
    }
)
"""Short name of a zone, of summer and of winter -> the zone that has both."""


def _adyen_zone(name: str) -> tzinfo:
    zone = zone_named(_SUMMER.get(name, name))
    if zone is None:
        raise RefusedRowError(f"'TimeZone' {quoted(name, word=True)}; right would be a zone such as CET")
    return zone


def _adyen(cells: Cells) -> FileRow:
    word = cells.text("type")
    kind = _ADYEN_KINDS.get(word.casefold(), RowKind.OTHER)
    debit, credit = cells.text("gross debit (gc)"), cells.text("gross credit (gc)")
    amount, currency = ZERO, cells.currency("gross currency", "net currency")
    if debit and credit:
        raise RefusedRowError("both 'Gross Debit (GC)' and 'Gross Credit (GC)' are filled; right would be one of them")
    if debit or credit:
        amount = cells.amount("gross debit (gc)" if debit else "gross credit (gc)", currency)
    elif kind is not RowKind.OTHER:
        raise RefusedRowError("'Gross Debit (GC)' and 'Gross Credit (GC)' are empty; right would be an amount in one")
    if (kind is RowKind.REFUND and credit) or (kind is RowKind.REVERSED and debit):
        side = "debit" if kind is RowKind.REFUND else "credit"
        raise RefusedRowError(f"a row of type {word} has its amount on the wrong side; right would be the {side}")
    at = cells.at("creation date", zone=_adyen_zone(cells.text("timezone") or "UTC"))
    own = cells.text("modification reference")
    return FileRow(
        source=Source.ADYEN,
        file="",
        number=cells.row.number,
        kind=kind,
        type=word,
        amount=amount if debit else -amount,
        asked=amount,
        currency=currency,
        at=at,
        order=shown_reference(cells.text("merchant reference")),
        reference=shown_reference(own or cells.text("psp reference")),
        references=tuple(
            filter(None, (own, cells.text("modification merchant reference"), cells.text("psp reference"))),
        ),
        link=own,
    )


ADYEN = PayoutFormat(
    source=Source.ADYEN,
    name="Adyen, settlement details",
    needed=(
        *(("psp reference",), ("merchant reference",), ("type",), ("creation date",), ("timezone",)),
        *(("gross currency",), ("gross debit (gc)",), ("gross credit (gc)",), ("modification reference",)),
    ),
    known=(
        *("company account", "merchant account", "psp reference", "merchant reference", "payment method"),
        *("creation date", "timezone", "type", "modification reference", "gross currency", "gross debit (gc)"),
        *("gross credit (gc)", "exchange rate", "net currency", "net debit (nc)", "net credit (nc)"),
        *("commission (nc)", "markup (nc)", "scheme fees (nc)", "interchange (nc)", "payment method variant"),
        *("modification merchant reference", "batch number"),
    ),
    read=_adyen,
    zone="the column TimeZone",
)

# PayPal's STL: typed lines; amounts in minor units without a sign, which a column of its own says.

_PAYPAL_REFUND = "T1107"
"""The code of a refund that a merchant made, as the published example has it."""
_SIDES = MappingProxyType({"DR": 1, "CR": -1})


def _paypal(cells: Cells) -> FileRow:
    code = cells.text("transaction event code")
    side = _SIDES.get(cells.text("transaction debit or credit"))
    if side is None:
        found = quoted(cells.text("transaction debit or credit"), word=True)
        raise RefusedRowError(f"'Transaction Debit or Credit' {found}; right would be DR or CR")
    currency = cells.currency("gross transaction currency")
    digits = cells.text("gross transaction amount")
    amount = Decimal(digits).scaleb(-minor_unit(currency)) if digits.isascii() and digits.isdigit() else None
    if amount is None or not payable(amount, currency):
        right = "digits alone, in the currency's smallest unit: 2400 is 24.00 EUR"
        raise RefusedRowError(f"'Gross Transaction Amount' {quoted(digits)}; right would be {right}")
    kind = RowKind.OTHER
    if code == _PAYPAL_REFUND:
        kind = RowKind.REFUND if side > 0 else RowKind.REVERSED
    own, of = cells.text("transaction id"), cells.text("paypal reference id")
    return FileRow(
        source=Source.PAYPAL,
        file="",
        number=cells.row.number,
        kind=kind,
        type=code,
        amount=side * amount,
        asked=amount,
        currency=currency,
        at=cells.at("transaction completion date"),
        order=shown_reference(cells.text("invoice id")),
        reference=shown_reference(own),
        references=tuple(
            filter(None, (own, of, cells.text("custom field"), cells.text("payment tracking id"))),
        ),
        link=own if kind is RowKind.REFUND else of,
        unique=own,
    )


PAYPAL = PayoutFormat(
    source=Source.PAYPAL,
    name="PayPal, settlement report (STL)",
    needed=(
        *(("transaction id",), ("transaction event code",), ("transaction completion date",)),
        *(("transaction debit or credit",), ("gross transaction amount",), ("gross transaction currency",)),
    ),
    known=(
        *("transaction id", "invoice id", "paypal reference id", "paypal reference id type", "transaction event code"),
        *("transaction initiation date", "transaction completion date", "transaction debit or credit"),
        *("gross transaction amount", "gross transaction currency", "fee debit or credit", "fee amount"),
        *("fee currency", "custom field", "consumer id", "payment tracking id", "store id", "bank reference id"),
    ),
    read=_paypal,
    zone="their own offsets",
    typed="CH",
)

# Redsys: a refund has the order code of its payment, an amount without a sign, and in one cell how it ended.

_REDSYS_DONE = "autorizada"
_REDSYS_NOT_DONE = ("denegada", "sin finalizar", "cancelada")


def _redsys(cells: Cells) -> FileRow:
    word = cells.text("tipo operación")
    said, ended = word.casefold(), cells.text("resultado operación y código").casefold()
    kind = RowKind.OTHER
    if said.startswith("devoluci"):
        kind = RowKind.REFUND
    elif said.startswith("anulaci") and "devoluci" in said:
        kind = RowKind.REVERSED
    done = ended.startswith(_REDSYS_DONE)
    if not done and not ended.startswith(_REDSYS_NOT_DONE):
        right = "Autorizada, Denegada, Sin Finalizar or Cancelada with its code"
        raise RefusedRowError(f"'Resultado operación y código' {quoted(ended)}; right would be {right}")
    currency = cells.currency("moneda")
    amount = cells.amount("importe", currency)
    if amount < 0:
        raise RefusedRowError(f"'Importe' is {amount}; right would be an amount without a sign")
    if kind is RowKind.REFUND and not done:
        kind = RowKind.FAILED
    went = amount if kind is RowKind.REFUND else -amount
    return FileRow(
        source=Source.REDSYS,
        file="",
        number=cells.row.number,
        kind=kind if done or kind is RowKind.FAILED else RowKind.OTHER,
        type=f"{word} ({ended.split(' ')[0]})",
        amount=went if done else ZERO,
        asked=amount,
        currency=currency,
        at=cells.at("fecha", DateFormat.DAY_FIRST, _MADRID, "hora"),
        order=shown_reference(cells.text("cód. pedido", "número de pedido")),
        reference=shown_reference(ended.rpartition(" ")[2].upper() if " " in ended else ""),
    )


_MADRID = zone_named("Europe/Madrid")

REDSYS = PayoutFormat(
    source=Source.REDSYS,
    name="Redsys, operations",
    needed=(
        *(("fecha",), ("tipo operación",), ("cód. pedido", "número de pedido"), ("resultado operación y código",)),
        *(("importe",), ("moneda",)),
    ),
    known=("fecha", "tipo operación", "resultado operación y código", "importe", "moneda", "importe euros", "titular"),
    read=_redsys,
    zone="Europe/Madrid",
)

FORMATS = (STRIPE, STRIPE_LOCAL, STRIPE_BALANCE, ADYEN, PAYPAL, REDSYS)
"""All that are recognised by their headers."""
