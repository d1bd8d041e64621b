"""Files as they really come are guessed honestly, read by the mapping, and nothing of them is approved unsaid."""

from pathlib import Path

import openpyxl
import pytest

from tasks.files.guess import Guess, guess
from tasks.files.guess_text import mapping_text
from tasks.files.inspections import read_warehouse_file
from tasks.files.mapped_rows import Footer
from tasks.files.mapping import InspectionMapping, MappingError, load_mapping
from tasks.files.open_table import open_table
from tasks.files.table import InputFileError
from tests.tasks.files import real_files
from tests.tasks.files.files import text
from tests.tasks.files.test_real_files import said

GUESSED = {
    "MINTSOFT": (
        "utf-8",
        {"rma": "Return ID", "order": "Order Number", "sku": "SKU", "quantity": "Qty Returned",
         "inspected_at": "Return Date"},
        {"approved": ["Qty Good"], "declined": ["Qty Damaged"]},
    ),
    "SHIPMONK": (
        "utf-8",
        {"rma": "Return #", "order": "Order #", "sku": "Item SKU", "inspected_at": "Received At"},
        {"approved": ["Quantity Good"], "declined": ["Quantity Damaged"], "missing": ["Quantity Missing"]},
    ),
    "AFTERSHIP": (
        "utf-8",
        {"rma": "RMA ID", "order": "Order number", "sku": "Item SKU", "quantity": "Item received quantity",
         "outcome": "Return status", "inspected_at": "Received at"},
        {"reason": ["Return reason"]},
    ),
    "SPANISH": (
        "cp1252",
        {"rma": "Nº devolución", "order": "Nº pedido", "sku": "Código artículo", "ean": "Código de barras",
         "quantity": "Uds. recibidas", "inspected_at": "Fecha recepción"},
        {"approved": ["Uds. correctas"], "declined": ["Uds. defectuosas"]},
    ),
    "GERMAN": (
        "cp1252",
        {"rma": "Retourennummer", "order": "Bestellnummer", "tracking": "Sendungsnummer", "sku": "Artikelnr.",
         "ean": "EAN", "quantity": "Menge", "inspected_at": "Eingang am"},
        {"outcome": ["Prüfergebnis", "Zustand"]},
    ),
    "GERMAN_QUOTED": (
        "utf-8",
        {"rma": "Retouren-Nr.", "order": "Bestell-Nr.", "tracking": "Sendungs-Nr.", "sku": "Artikel-Nr.",
         "quantity": "Menge", "outcome": "Status"},
        {"inspected_at": ["Datum"]},
    ),
    "FRENCH": (
        "cp1252",
        {"rma": "N° retour", "order": "N° de commande", "tracking": "N° de suivi", "sku": "Référence article",
         "ean": "Code EAN", "quantity": "Quantité", "outcome": "Décision", "inspected_at": "Date de réception"},
        {"reason": ["Motif"]},
    ),
    "ITALIAN": (
        "utf-8",
        {"rma": "Numero reso", "order": "Numero ordine", "tracking": "Tracking", "sku": "Codice articolo",
         "ean": "Codice a barre", "quantity": "Quantità", "outcome": "Condizione", "inspected_at": "Data ricezione"},
        {},
    ),
    "PORTUGUESE": (
        "utf-8",
        {"rma": "N.º devolução", "order": "Encomenda", "tracking": "Objeto", "sku": "Referência", "ean": "EAN",
         "quantity": "Qtd.", "inspected_at": "Data receção"},
        {"approved": ["Qtd. conforme"], "declined": ["Qtd. não conforme"]},
    ),
    "POLISH": (
        "utf-8",
        {"rma": "Numer zwrotu", "order": "Numer zamówienia", "tracking": "Numer przesyłki", "sku": "Indeks",
         "ean": "EAN", "quantity": "Ilość", "outcome": "Stan", "inspected_at": "Data przyjęcia"},
        {},
    ),
    "DUTCH": (
        "utf-8",
        {"rma": "Retournummer", "order": "Webshop ordernummer", "sku": "SKU", "quantity": "Aantal",
         "outcome": "Kwaliteit", "inspected_at": "Ontvangen"},
        {},
    ),
    "SAP": ("cp1252", {"order": "Sales Doc.", "inspected_at": "Pstng Date"}, {"sku": ["Material"]}),
    "AMAZON_QUOTES": (
        "utf-8",
        {"order": "order-id", "sku": "sku", "quantity": "quantity", "unit": "license-plate-number",
         "outcome": "detailed-disposition", "inspected_at": "return-date"},
        {},
    ),
    "PUT_TOGETHER": ("utf-8", {"rma": "RMA", "sku": "SKU", "outcome": "QC result"}, {}),
}  # fmt: skip
COUNTS = "columns: {order: Order Number, sku: SKU, quantity: Qty Returned, approved: Qty Good, declined: Qty Damaged}\n"
REASON = "declined_reason: It came back damaged\n"
READ = {
    "MINTSOFT": (
        f"{COUNTS}{REASON}",
        [
            "#1001 SKU-1 APPROVED x1 ",
            "#1001 SKU-1 DECLINED x1 ",
            "#1002 SKU-2 DECLINED x1 ",
            "refused: 'Qty Returned' is 2, and the units that are counted are 1 in 'Qty Good', 0 in 'Qty Damaged'",
        ],
    ),
    "SPANISH": (
        "columns: {rma: Nº devolución, ean: Código de barras, quantity: Uds. recibidas, approved: Uds. correctas, "
        "declined: Uds. defectuosas, inspected_at: Fecha recepción}\ndate_format: DD/MM/YYYY\ndecimal: ','\n"
        f"footers: [Total]\nzone: Europe/Madrid\n{REASON}",
        [
            "R-1 5060000000001 APPROVED x1 2026-11-20T23:59:59+01:00",
            "R-1 5060000000001 DECLINED x1 2026-11-20T23:59:59+01:00",
            "R-2 5060000000002 APPROVED x1 2026-11-21T23:59:59+01:00",
        ],
    ),
    "SHIPMONK": (
        "columns: {order: 'Order #', sku: Item SKU, inspected_at: Received At, approved: Quantity Good, "
        f"declined: Quantity Damaged, missing: Quantity Missing}}\n{REASON}",
        [
            "#1001 SKU-1 APPROVED x1 2026-11-20T15:15:00+00:00",
            "#1002 SKU-2 DECLINED x1 2026-11-03T11:05:00+00:00",
            "#1002 SKU-2 MISSING x1 2026-11-03T11:05:00+00:00",
        ],
    ),
    "SAP": (
        "columns: {order: Sales Doc., sku: Material, quantity: Return qty, outcome: Usage dec., "
        "inspected_at: Pstng Date}\nwords: {A: APPROVED, R1: {status: DECLINED, reason: It was torn}}\n"
        "date_format: DD/MM/YYYY\n",
        [
            "#1001 SKU-1 APPROVED x1 2026-11-20T23:59:59+00:00",
            "refused: 'Return qty' is '1-'; write a whole number of units",
            "#1003 SKU-3 APPROVED x1 2026-11-22T23:59:59+00:00",
        ],
    ),
    "CROSSES": (
        "columns: {order: Order, sku: SKU, quantity: Units, approved: OK, declined: Damaged, missing: Missing}\n"
        f"{REASON}",
        [
            "#1001 SKU-1 APPROVED x2 ",
            "#1002 SKU-2 DECLINED x1 ",
            "refused: it says more than one thing: 'x' in 'OK', 'x' in 'Damaged'",
            "refused: it counts 0 units",
            "refused: it counts 0 units",
        ],
    ),
    "AMAZON_QUOTES": (
        "columns: {order: order-id, sku: sku, outcome: detailed-disposition}\nquoted: false\n"
        "words: {SELLABLE: APPROVED, DEFECTIVE: {status: DECLINED, reason: It was torn}}\n",
        ["#1001 SKU-1 APPROVED x1 ", "#1002 SKU-2 DECLINED x1 "],
    ),
    "PUT_TOGETHER": (
        "columns: {rma: RMA, sku: SKU, outcome: QC result}\nwords: {Approved: APPROVED}\n",
        ["R-1 SKU-1 APPROVED x1 ", "R-2 SKU-2 APPROVED x1 "],
    ),
}


def guessed(folder: Path, content: str, encoding: str = "utf-8") -> Guess:
    return guess(open_table(text(folder / "in.csv", content, encoding)))


@pytest.mark.parametrize("name", GUESSED)
def test_the_columns_of_a_real_file_are_guessed_and_its_mapping_says_what_is_left(tmp_path: Path, name: str) -> None:
    encoding, meant, candidates = GUESSED[name]
    found = guessed(tmp_path, getattr(real_files, name), encoding)
    assert found.meant == meant
    unsure = {it.what: [each.meaning for each in it.candidates] for it in found.columns if not it.meant}
    assert {field: unsure.get(field) for field in candidates} == candidates
    path = text(tmp_path / "m.yaml", mapping_text(found, "in.csv"))
    if found.lacks:
        return
    assert load_mapping(path, InspectionMapping).columns.named() == meant


@pytest.mark.parametrize("name", READ)
def test_a_real_file_becomes_inspections_by_its_mapping(tmp_path: Path, name: str) -> None:
    mapping, expected = READ[name]
    path = text(tmp_path / "day.csv", getattr(real_files, name), GUESSED.get(name, ("utf-8",))[0])
    read = read_warehouse_file(path, text(tmp_path / "m.yaml", mapping))
    assert [words for row in read.rows if not isinstance(row, Footer) for words in said(row)] == expected


def test_columns_that_count_side_by_side_are_a_persons_to_decide(tmp_path: Path) -> None:
    lacks = guessed(tmp_path, real_files.SHIPMONK).lacks
    assert lacks == (
        "no column says for sure what was found; that a thing was received does not approve it",
        "whether the units in 'Quantity Good' are approved",
        "whether the units in 'Quantity Damaged' are declined",
        "whether the units in 'Quantity Missing' are missing",
    )


def test_a_status_that_is_approved_may_be_the_request_and_is_never_meant(tmp_path: Path) -> None:
    found = guessed(tmp_path, real_files.AFTERSHIP)
    assert [(it.what, it.meant) for it in found.words] == [("Approved", ""), ("Received", "NOT_YET")]
    assert load_mapping(text(tmp_path / "m.yaml", mapping_text(found, "in.csv")), InspectionMapping).words.keys() == {
        "received"
    }


def test_units_that_are_declined_need_a_reason_for_the_shopper(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="`declined_reason`, or `reasons`"):
        load_mapping(text(tmp_path / "m.yaml", COUNTS), InspectionMapping)


def test_of_several_sheets_the_one_with_known_columns_is_guessed(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["Returns of November", ""], ["Total", 2]):
        book.active.append(row)
    detail = book.create_sheet("Detail")
    for cells in (["RMA", "SKU", "QC result"], ["R-1", "SKU-1", "Passed"]):
        detail.append(cells)
    book.save(tmp_path / "in.xlsx")
    found = guess(open_table(tmp_path / "in.xlsx"))
    assert (found.sheet, found.how) == ("Detail", "XLSX, sheet 'Detail' of 'Sheet', 'Detail'")
    assert found.meant == {"rma": "RMA", "sku": "SKU", "outcome": "QC result"}


def test_a_file_without_rows_leaves_its_words_to_be_decided(tmp_path: Path) -> None:
    found = guessed(tmp_path, "RMA,SKU,Condition\n")
    assert found.lacks == ("what the words in 'Condition' mean: the file has no row with one",)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"Order   Material   Result\n#1001   SKU-1      OK\n", "nothing parts its cells"),
        (b"RMA,SKU\nR-1,SKU-1\0\0\n", "it has a zero character around byte 17"),
        ("RMA,SKU\nR-1,é\0\n".encode("cp1252"), "it has a zero character around byte 13"),
    ],
)
def test_what_cannot_be_guessed_is_refused_for_what_is_wrong(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "in.csv").write_bytes(content)
    with pytest.raises(InputFileError, match=why):
        guess(open_table(tmp_path / "in.csv"))
