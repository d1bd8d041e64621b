"""The header rows of real files, with made-up values, are guessed rightly: what is sure is meant, the rest are not."""

from pathlib import Path

import pytest

from tasks.files.dates import DateFormat
from tasks.files.guess import Guess, guess
from tasks.files.guess_text import guess_lines, mapping_text
from tasks.files.inspections import Inspection, read_inspections
from tasks.files.mapped_rows import find_header
from tasks.files.mapping import InspectionMapping, MappingError, load_mapping
from tasks.files.open_table import open_table
from tasks.files.table import InputFileError
from tests.tasks.files.files import text

LANDMARK = """\
Shipment Reference,Customer Name,City,State,Postal,Country,Return Date,Return Code,Return Reason,Return RMA Number,\
Notes,SKU,Item Quantity,Item Description,Condition,Unit Price,Total Price,Items Currency
R-100,Ana Ruiz,Madrid,,28001,ES,2026-03-02 14:05:00,RET,General Return,RMA77,box torn,SKU-1,2,Shirt,GOOD,12.00,24.00,EUR
R-101,Ana Ruiz,Madrid,,08001,ES,2026-03-02 14:06:00,UND,General Return,RMA78,,SKU-2,1,Hat,DAMAGED,12.00,12.00,EUR
"""
AMAZON = """\
return-date\torder-id\tsku\tasin\tfnsku\tproduct-name\tquantity\tfulfillment-center-id\tdetailed-disposition\treason\t\
status\tlicense-plate-number\tcustomer-comments
2026-06-05T15:31:40+00:00\t111-0000000-0000001\tSKU-1\tB000000001\tB000000001\tShirt, blue\t1\tMAD4\tCUSTOMER_DAMAGED\t\
NOT_COMPATIBLE\tUnit returned to inventory\tLPNAA000000001\t
"""
PEOPLEVOX = """\
Return code,Return date,Quantity,Item name,Sales order number,Despatch date,Return reason,Return condition,\
Return comments,Days since despatch,Item barcode,Sales order contact name,Customer phone number
RET1,'14/06/2026 16:55:07',1,Shirt,1234,'14/06/2026 16:52:17',Not Wanted,NEW,Internal notes:,237,5060000000001,\
Ana Ruiz,0191 8
"""
PARCELLAB = """\
consignmentNumber,trackingNumber,carrier,orderNumber,submittedDate,returnMethod,itemID,SKU,returnReason,\
problemDescription,compensationMethod,returnQuantity,name,street,zip,state,city,country,phone
ab938,00340434,DHL,1001,2026-03-01,inStoreReturn,1223,SKU-1,Wrong item delivered,Not as shown,Exchange,1,Ana Ruiz,\
C/ Mayor 1,28001,,Madrid,ES,01569283
"""
INCREFF = """\
ChannelSKU,ChannelForwardOrderDate,ChannelForwardOrderId,ChannelParentOrderId,ChannelReturnOrderId,\
ChannelReturnLineItemId,ChannelReturnType,ChannelReason,ChannelTrackingId,ChannelTransporter
SKU-1,02-03-2026,F1,P1,RO1,RL1,CR,Too small,T123,DHL
"""
FILES = {
    "landmark": (
        LANDMARK,
        {
            "rma": "Return RMA Number",
            "sku": "SKU",
            "quantity": "Item Quantity",
            "outcome": "Condition",
            "inspected_at": "Return Date",
        },
        {"order": ["Shipment Reference"]},
    ),
    "amazon": (
        AMAZON,
        {
            "order": "order-id",
            "sku": "sku",
            "quantity": "quantity",
            "unit": "license-plate-number",
            "outcome": "detailed-disposition",
            "inspected_at": "return-date",
        },
        {"reason": ["reason"]},
    ),
    "duoplane": (
        "return_id,received_at,order_item_id,quantity_received\n20017,2026-03-02,880011,1\n",
        {"rma": "return_id", "quantity": "quantity_received", "inspected_at": "received_at"},
        {"line": ["order_item_id"]},
    ),
    "35up": (
        "order_id,item_id,item_sku,returned_qty,received_at,status,message\nO-1,I-9,SKU-1,1,1772460300,confirmed,\n",
        {
            "order": "order_id",
            "sku": "item_sku",
            "quantity": "returned_qty",
            "outcome": "status",
            "inspected_at": "received_at",
        },
        {"line": ["item_id"]},
    ),
    "parcelLab": (
        PARCELLAB,
        {"order": "orderNumber", "tracking": "trackingNumber", "sku": "SKU", "quantity": "returnQuantity"},
        {"line": ["itemID"], "inspected_at": ["submittedDate"]},
    ),
    "peoplevox": (
        PEOPLEVOX,
        {
            "rma": "Return code",
            "order": "Sales order number",
            "ean": "Item barcode",
            "quantity": "Quantity",
            "outcome": "Return condition",
            "inspected_at": "Return date",
        },
        {},
    ),
    "increff": (
        INCREFF,
        {"sku": "ChannelSKU", "rma": "ChannelReturnOrderId", "tracking": "ChannelTrackingId"},
        {"order": ["ChannelForwardOrderId", "ChannelParentOrderId"], "line": ["ChannelReturnLineItemId"]},
    ),
    "eshopbox": (
        "Portal,Order ID,SKU,Return tracking ID,Return type,Sales channel,Quantity,Reason,Invoice number\n"
        "web,O1,SKU-1,T1,CR,web,1,Too small,I1\n",
        {"order": "Order ID", "sku": "SKU", "tracking": "Return tracking ID", "quantity": "Quantity"},
        {"reason": ["Reason"]},
    ),
    "parcelWILL": (
        'RMA,Product info,Product SKU\nRMA-1,"x1 Shirt\nx2 Hat","SKU-1\nSKU-2"\n',
        {"rma": "RMA", "sku": "Product SKU"},
        {},
    ),
    "shopify": (
        "Name,Email,Financial Status,Lineitem quantity,Lineitem sku,Lineitem fulfillment status,Billing Name,Id\n"
        "#1001,ana@example.com,paid,1,SKU-1,fulfilled,Ana Ruiz,5\n",
        {"order": "Name", "sku": "Lineitem sku", "quantity": "Lineitem quantity"},
        {},
    ),
    "returnGO": (
        "ID,Date & Time,Customer ID,Order ID,RMA ID,Platform Transaction ID,Credits,Gift Cards,Money,Action\n"
        "1,2026-03-02,C1,O1,R1,T1,0,0,-24.00,Refund\n",
        {"order": "Order ID", "rma": "RMA ID"},
        {"inspected_at": ["Date & Time"]},
    ),
    "returnly": (
        "RMA Number,Return status,Return Tracking Number,Shipping ID,Shipping Status,Carrier,Return Label Cost\n"
        "R1,in transit,T1,S1,delivered,DHL,4.00\n",
        {"rma": "RMA Number", "tracking": "Return Tracking Number", "outcome": "Return status"},
        {},
    ),
    "sendcloud": (
        "parcel_id,direction,carrier_code,order_number,tracking_number,announced_at,delivered_at,status,sub_status\n"
        "1,incoming,dhl,O1,T1,2026-03-01,2026-03-02,parcel handed over,x\n",
        {"order": "order_number", "tracking": "tracking_number"},
        {"outcome": ["status"]},
    ),
    "redsys": (
        "Fecha;Hora;Tipo operación;Cód. pedido;Resultado operación y código;Importe;Moneda;\n"
        "23/04/2026;16:28:37;Devolución;2604ABCDEFGH;Autorizada 100001;60.00;EUR;\n",
        {"order": "Cód. pedido"},
        {},
    ),
    "stripe": (
        "automatic_payout_id,created_utc,currency,gross,fee,net,reporting_category,source_id\n"
        "po_1,2026-09-15 12:00:00,eur,-24.00,0.00,-24.00,refund,re_1\n",
        {},
        {},
    ),
    "sibs": (
        "Nº Lote;Data Liquidação;Tipo;Montante Bruto;Moeda\n1;2026-03-02;x;1.234,50;EUR\nTotal;;;1.222,50;EUR\n",
        {},
        {},
    ),
    "union": (
        "process_id,Approved,Rejected Qty,Missing,EAN,Rejection reason,Inspected by\nretp_1,1,0,0,5060000000001,,x\n",
        {
            "process_id": "process_id",
            "approved": "Approved",
            "declined": "Rejected Qty",
            "missing": "Missing",
            "ean": "EAN",
            "reason": "Rejection reason",
        },
        {},
    ),
}


def guessed(path: Path, content: str) -> Guess:
    return guess(open_table(text(path, content)))


@pytest.mark.parametrize("name", FILES)
def test_the_header_of_a_real_file_is_guessed(tmp_path: Path, name: str) -> None:
    content, meant, candidates = FILES[name]
    found = guessed(tmp_path / "in.csv", content)
    assert found.meant == meant
    unsure = {it.what: [each.meaning for each in it.candidates] for it in found.columns if not it.meant}
    assert {field: unsure.get(field) for field in candidates} == candidates
    path = tmp_path / "m.yaml"
    path.write_text(mapping_text(found, "in.csv"))
    try:
        mapping = load_mapping(path, InspectionMapping)
    except MappingError as error:
        problems = error.problems
        assert found.lacks
        assert all("the mapping lacks something" in it for it in problems), problems
    else:
        assert mapping.columns.named() == meant


def test_what_approves_is_never_guessed_from_how_a_thing_looks(tmp_path: Path) -> None:
    found = guessed(tmp_path / "in.csv", LANDMARK)
    assert [(it.what, it.meant, it.candidates[0].meaning) for it in found.words] == [
        ("GOOD", "", "APPROVED"),
        ("DAMAGED", "", "DECLINED"),
    ]
    assert found.lacks == ("what the word 'GOOD' means", "what the word 'DAMAGED' means")
    written = mapping_text(found, "in.csv")
    assert '  # "GOOD": APPROVED  # 60 %: in 1 row; whether that is good enough is for you to say\n' in written
    (tmp_path / "m.yaml").write_text(written)
    mapping = load_mapping(tmp_path / "m.yaml", InspectionMapping)
    assert mapping.words == {}


def test_the_words_of_an_inspection_itself_are_meant_but_a_decline_needs_its_reason(tmp_path: Path) -> None:
    content = (
        "RMA,SKU,QC result\nR1,A,Passed\nR2,B,passed \nR3,C,Rejected\nR4,D,Missing\nR5,E,Received\nR6,F,Hm\nR7,G,\n"
    )
    found = guessed(tmp_path / "in.csv", content)
    assert {it.what: it.meant for it in found.words} == {
        "Passed": "APPROVED",
        "Rejected": "",
        "Missing": "MISSING",
        "Received": "NOT_YET",
        "Hm": "",
        "": "",
    }
    (tmp_path / "m.yaml").write_text(mapping_text(found, "in.csv"))
    assert set(load_mapping(tmp_path / "m.yaml", InspectionMapping).words) == {"passed", "missing", "received"}


def test_a_file_that_says_only_what_came_is_not_approved(tmp_path: Path) -> None:
    found = guessed(tmp_path / "in.csv", FILES["eshopbox"][0])
    assert "no column says for sure what was found; that a thing was received does not approve it" in found.lacks
    assert "# received_is: APPROVED" in mapping_text(found, "in.csv")
    (tmp_path / "m.yaml").write_text(mapping_text(found, "in.csv"))
    with pytest.raises(MappingError, match="one way to tell what was found"):
        load_mapping(tmp_path / "m.yaml", InspectionMapping)


def test_titles_footers_dates_and_several_products_are_seen(tmp_path: Path) -> None:
    content = (
        "Returns of the week;;;\n\nRMA;SKU;Condition;Return date\nR1;A;NEW;02/03/2026\n;B;NEW;03/04/2026\nTotal;2;;\n"
    )
    found = guessed(tmp_path / "in.csv", content)
    assert (found.header.number, found.footers, found.fill_down, found.date_format) == (3, ("Total",), True, None)
    assert any("whether the day or the month comes first" in words for words in found.lacks)
    assert guessed(tmp_path / "in.csv", PEOPLEVOX).date_format is DateFormat.DAY_FIRST
    assert guessed(tmp_path / "in.csv", FILES["35up"][0]).date_format is DateFormat.UNIX
    assert guessed(tmp_path / "in.csv", FILES["parcelWILL"][0]).several_parted_by == "\n"


def test_a_file_of_empty_rows_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"in\.csv: has no row that holds anything"):
        guessed(tmp_path / "in.csv", "\n ,,\n")


def test_the_guess_is_told_to_a_person(tmp_path: Path) -> None:
    found = guessed(tmp_path / "in.csv", AMAZON)
    lines = guess_lines(found)
    assert lines[0] == "text in UTF-8, cells parted by tabs; 1 row looked at."
    assert any(line.startswith("rma") for line in lines) is False
    assert any(line.split()[:3] == ["sku", "sku", "95"] for line in lines)
    assert lines[-1] == "  what the word 'CUSTOMER_DAMAGED' means"


def test_a_guess_whose_words_are_decided_reads_the_file(tmp_path: Path) -> None:
    path = text(tmp_path / "in.csv", LANDMARK)
    written = mapping_text(guess(open_table(path)), "in.csv")
    written = written.replace('  # "GOOD"', '  "GOOD"').replace('  # "DAMAGED"', '  "DAMAGED"')
    (tmp_path / "m.yaml").write_text(written)
    mapping = load_mapping(tmp_path / "m.yaml", InspectionMapping)
    table = open_table(path, mapping.reading)
    header = find_header(table.rows(), mapping.columns.named(), str(path))
    rows = list(read_inspections(table.rows(), header, mapping))
    assert [(row.keys, len(row.units)) for row in rows if isinstance(row, Inspection)] == [
        ({"rma": "RMA77"}, 2),
        ({"rma": "RMA78"}, 1),
    ]
