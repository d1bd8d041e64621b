"""Payout files of each provider, with the headers that their pages have and values that are made up.

A shopper stands in each where the provider's files have one, so that tests can look for them in what is printed.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tasks.ledger import Effect
from tasks.policy.record import IntentKind, IntentState

SHOPPERS = ("Ana Ruiz", "RUIZANA", "415006******0000", "ana@shop.example", "CONSUMER-77")

STRIPE_HEADER = (
    "automatic_payout_id,automatic_payout_effective_at_utc,balance_transaction_id,created_utc,currency,gross,fee,net,"
    "reporting_category,source_id,payment_intent_id,charge_id,payment_metadata[order_id]"
)
ADYEN_HEADER = (
    "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,"
    "Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,"
    "Net Debit (NC),Net Credit (NC),Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),"
    "Payment Method Variant,Modification Merchant Reference,Batch Number,Reserved4,Reserved5,Reserved6,Reserved7,"
    "Reserved8,Reserved9,Reserved10"
)
PAYPAL_HEADER = (
    '"CH","Transaction ID","Invoice ID","PayPal Reference ID","PayPal Reference ID Type","Transaction Event Code",'
    '"Transaction Initiation Date","Transaction Completion Date","Transaction  Debit or Credit",'
    '"Gross Transaction Amount","Gross Transaction Currency","Fee Debit or Credit","Fee Amount","Fee Currency",'
    '"Custom Field","Consumer ID","Payment Tracking ID","Store ID","Bank Reference ID","Credit Transactional Fee",'
    '"Credit Promotional Fee","Credit Term"'
)
REDSYS_HEADER = (
    "Fecha;Hora;Tipo operación;Cód. pedido;Resultado operación y código;Importe;Moneda;Importe Euros;Tipo de pago;"
    "Tipo pago original;N.º tarjeta;Titular;"
)


def stripe_row(
    order: str,
    gross: str,
    *,
    n: int = 1,
    category: str = "refund",
    currency: str = "eur",
    at: str = "2026-11-05 12:00:00",
) -> str:
    return (
        f"po_1,2026-11-07 00:00:00,txn_{n},{at},{currency},{gross},0.00,{gross},{category},re_{n},pi_{n},ch_{n},{order}"
    )


def adyen_row(
    order: str,
    amount: str,
    *,
    n: int = 1,
    word: str = "Refunded",
    side: str = "debit",
    currency: str = "EUR",
    at: str = "2026-11-05 13:00:00",
    zone: str = "CET",
) -> str:
    debit, credit = (amount, "") if side == "debit" else ("", amount)
    return (
        f"Co,Shop,18{n:014},{order},visa,{at},{zone},{word},17{n:014},{currency},{debit},{credit},1,{currency},{debit},"
        f"{credit},,0.04,0.06,,visaclassic,,134,,,,,,,"
    )


def by_card(effect: Effect) -> bool:
    """Whether it is a refund that the desk has paid by card, so that a payout file should have it."""
    done = effect.kind is IntentKind.REFUND and effect.state is IntentState.DONE and effect.amount > 0
    return done and effect.method == "ORIGINAL_PAYMENT_METHOD" and not effect.adopted


def adyen_row_of(effect: Effect, n: int, amount: Decimal | None = None, *, hours: int = 1, **changes: str) -> str:
    """The row of Adyen's file that a refund has so many hours later."""
    money = str(effect.amount if amount is None else amount)
    at = adyen_time(effect, hours)
    return adyen_row(effect.order.lstrip("#"), money, n=n, currency=effect.currency, at=at, **changes)


def adyen_time(effect: Effect, hours: int = 0) -> str:
    at = (effect.sent_at or effect.created_at) + timedelta(hours=hours)
    return f"{at.astimezone(ZoneInfo('Europe/Amsterdam')):%F %T}"


def paypal_row(
    order: str,
    minor: str,
    *,
    n: int = 1,
    code: str = "T1107",
    side: str = "DR",
    currency: str = "EUR",
    at: str = "2026/11/05 04:00:00 -0800",
    of: str = "TXN0",
) -> str:
    return (
        f'"SB","TXN{n}","{order}","{of}","TXN","{code}",{at},{at},"{side}",{minor},"{currency}","CR",35,"{currency}",'
        '"ana@shop.example","CONSUMER-77","","","",,,'
    )


def paypal_file(rows: Sequence[str]) -> str:
    first = ['"RH",2026/11/06 02:44:19 -0800,"A","PAYERID00001",009,', '"FH",01']
    first.append('"SH",2026/11/05 00:00:00 -0800,2026/11/05 23:59:59 -0800,"PAYERID00001",""')
    last = ['"SF","EUR",1,2400', f'"SC",{len(rows)}', '"RF",1', f'"RC",{len(rows)}', f'"FF",{len(rows)}']
    return "\n".join([*first, PAYPAL_HEADER, *rows, *last]) + "\n"


def redsys_row(
    order: str,
    amount: str,
    *,
    kind: str = "Devolución",
    result: str = "Autorizada 100001",
    at: str = "05/11/2026;13:00:00",
) -> str:
    return f"{at};{kind};{order};{result};{amount};EUR;{amount};Challenge Visa;;415006******0000;RUIZANA;"


def file_of(header: str, rows: Sequence[str]) -> str:
    return "\n".join([header, *rows]) + "\n"
