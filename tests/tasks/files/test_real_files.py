"""Files in the form of real warehouses and apps, with made-up values, become inspections by their mapping."""

from collections import Counter
from pathlib import Path

import pytest

from tasks.files.guess import guess
from tasks.files.inspections import Inspection, read_warehouse_file
from tasks.files.mapped_rows import Footer, WrongRow
from tasks.files.open_table import open_table
from tasks.files.table import InputFileError
from tests.tasks.files.files import text
from tests.tasks.files.test_guess import AMAZON, FILES, INCREFF, LANDMARK, PARCELLAB, PEOPLEVOX

WORDS = "words: {GOOD: APPROVED, NEW: APPROVED, DAMAGED: {status: DECLINED, reason: It was damaged}}\n"
WAREHOUSES = {
    "landmark": (
        LANDMARK,
        "columns: {rma: Return RMA Number, sku: SKU, quantity: Item Quantity, outcome: Condition, "
        f"inspected_at: Return Date}}\n{WORDS}zone: America/Chicago\n",
        ["RMA77 SKU-1 APPROVED x2 2026-03-02T14:05:00-06:00", "RMA78 SKU-2 DECLINED x1 2026-03-02T14:06:00-06:00"],
    ),
    "amazon": (
        AMAZON,
        "columns: {order: order-id, sku: sku, quantity: quantity, unit: license-plate-number, "
        "inspected_at: return-date, outcome: detailed-disposition}\n"
        "words: {CUSTOMER_DAMAGED: {status: DECLINED, reason: It was damaged}}\n",
        ["111-0000000-0000001 SKU-1 DECLINED x1 2026-06-05T15:31:40+00:00"],
    ),
    "duoplane": (
        FILES["duoplane"][0],
        "columns: {rma: return_id, line: order_item_id, quantity: quantity_received, inspected_at: received_at}\n"
        "received_is: APPROVED\n",
        ["20017 880011 APPROVED x1 2026-03-02T23:59:59+00:00"],
    ),
    "35up": (
        FILES["35up"][0],
        "columns: {order: order_id, line: item_id, sku: item_sku, quantity: returned_qty, inspected_at: received_at, "
        'outcome: status}\nwords: {confirmed: APPROVED, vendor_received: NOT_YET, "": APPROVED}\ndate_format: UNIX\n',
        ["O-1 I-9 APPROVED x1 2026-03-02T14:05:00+00:00"],
    ),
    "parcelLab": (
        PARCELLAB,
        "columns: {tracking: trackingNumber, order: orderNumber, sku: SKU, quantity: returnQuantity, "
        "inspected_at: submittedDate}\nreceived_is: NOT_YET\n",
        ["refused: 'received' says that it is not inspected yet"],
    ),
    "peoplevox": (
        PEOPLEVOX,
        "columns: {rma: Return code, order: Sales order number, ean: Item barcode, quantity: Quantity, "
        f"outcome: Return condition, inspected_at: Return date}}\n{WORDS}"
        "date_format: DD/MM/YYYY\nzone: Europe/London\n",
        ["RET1 5060000000001 APPROVED x1 2026-06-14T16:55:07+01:00"],
    ),
    "increff": (
        INCREFF,
        "columns: {rma: ChannelReturnOrderId, sku: ChannelSKU, tracking: ChannelTrackingId, "
        "receipt: ChannelReturnLineItemId, outcome: ChannelReturnType}\nwords: {CR: APPROVED, RTO: NOT_YET}\n",
        ["RO1 SKU-1 APPROVED x1 "],
    ),
    "eshopbox": (
        FILES["eshopbox"][0],
        "columns: {order: Order ID, sku: SKU, tracking: Return tracking ID, quantity: Quantity}\n"
        "received_is: APPROVED\n",
        ["O1 SKU-1 APPROVED x1 "],
    ),
    "parcelWILL": (
        FILES["parcelWILL"][0],
        'columns: {rma: RMA, sku: Product SKU}\nreceived_is: APPROVED\nseveral_parted_by: "\\n"\n',
        ["RMA-1 SKU-1 APPROVED x1 ", "RMA-1 SKU-2 APPROVED x1 "],
    ),
    "shopify": (
        "Name,Email,Lineitem quantity,Lineitem sku,Lineitem name,Id\n#1001,ana@example.com,1,SKU-1,Shirt,5\n"
        "#1001,ana@example.com,2,SKU-2,Hat,\n",
        "columns: {order: Name, sku: Lineitem sku, quantity: Lineitem quantity}\nreceived_is: APPROVED\n",
        ["#1001 SKU-1 APPROVED x1 ", "#1001 SKU-2 APPROVED x2 "],
    ),
}


def said(row: object) -> list[str]:
    if isinstance(row, WrongRow):
        return [f"refused: {row.why}"]
    assert isinstance(row, Inspection)
    key, at = next(iter(row.keys.values())), row.inspected_at.isoformat() if row.inspected_at else ""
    many = Counter((it.product.line or it.product.sku or it.product.ean, str(it.status)) for it in row.units)
    return [f"{key} {product} {status} x{times} {at}" for (product, status), times in many.items()]


@pytest.mark.parametrize("name", WAREHOUSES)
def test_the_file_of_a_warehouse_becomes_inspections(tmp_path: Path, name: str) -> None:
    content, mapping, expected = WAREHOUSES[name]
    path, rules = text(tmp_path / "day.csv", content), text(tmp_path / "m.yaml", mapping)
    read = read_warehouse_file(path, rules)
    assert [words for row in read.rows if not isinstance(row, Footer) for words in said(row)] == expected


ADYEN = (
    "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,"
    "Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC)\n"
    "Co,Shop,1800000000000001,1001,visa,2026-06-03 11:26:49,CET,Refunded,1700000000000002,EUR,24.00,\n"
)
PAYPAL = (
    '"RH",2026/08/21 02:44:19 -0700,"A","PAYERID00001",009,\n"FH",01\n'
    '"SH",2026/08/20 00:00:00 -0700,2026/08/20 23:59:59 -0700,"PAYERID00001",""\n'
    '"CH","Transaction ID","Invoice ID","Transaction  Debit or Credit","Gross Transaction Amount"\n'
    '"SB","TXN0000000000001","1001","DR",2400\n"SF",1\n"RF",1\n'
)
NO_INSPECTIONS = {
    "adyen": ADYEN,
    "paypal": PAYPAL,
    "redsys": FILES["redsys"][0],
    "redsys of before": "Fecha\tNº de terminal\tTipo operación\tNúmero de pedido\tImporte\n"
    "23/04/2026\t1\tDevolución\t2604ABCDEFGH\t60,00\n",
    "stripe": FILES["stripe"][0],
    "sibs": FILES["sibs"][0],
    "moyasar": "payment_id,description,scheme,source,type,currency,amount,fee,transaction_date\n"
    "p1,x,mada,card,refund,SAR,1,0,2026-03-02\n",
    "antom": "paymentId,amount,currency\n1,2,EUR\n<END>\n",
    "sendcloud": FILES["sendcloud"][0],
    "parcelLab trackings": "client,courier,tracking_number,order_number,destination_country,created_date,created_time\n"
    "c,dhl,00340434,1001,DEU,2026-03-01,14:05\n",
    "returnGO": FILES["returnGO"][0],
    "returnly": FILES["returnly"][0],
}


@pytest.mark.parametrize("name", NO_INSPECTIONS)
def test_a_file_of_something_else_is_read_and_never_guessed_to_approve_anything(tmp_path: Path, name: str) -> None:
    path = text(tmp_path / "other.csv", NO_INSPECTIONS[name], "cp1252" if "redsys" in name else "utf-8")
    found = guess(open_table(path))
    assert found.lacks, "a person has to say what it means"
    assert not any(it.meant == "APPROVED" for it in found.words)
    rules = text(
        tmp_path / "m.yaml", "columns: {rma: Return RMA Number, sku: SKU, outcome: Condition}\nwords: {a: MISSING}\n"
    )
    with pytest.raises(InputFileError, match="no header with the mapping's columns"):
        read_warehouse_file(path, rules)
