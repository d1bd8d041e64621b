"""`python -m tests.docs.refused_picture`: the picture in docs/inspections.md of rows that came back, made anew.

A warehouse's workbook with made-up values is read by its mapping, and what is refused is printed. It needs LibreOffice
and poppler (Debian: libreoffice-calc, poppler-utils). No test needs them.
"""

import tempfile
from pathlib import Path

from tasks.files.inspections import read_warehouse_file
from tasks.files.mapped_rows import WrongRow
from tests.docs.report_pictures import PICTURES, printed
from tests.tasks.files.files import text, xlsx

ROWS: list[list[object]] = [
    ["Returns of 30 November"],
    [],
    ["RMA", "Order", "SKU", "Qty", "Condition", "Inspected"],
    ["RMA-1001", "#1001", "007", 1, "NEW", "30/11/2026"],
    ["", "", "SKU-2", 2, "GOOD", "30/11/2026"],
    ["RMA-1003", "#1003", "SKU-3", 1, "Worn?", "30/11/2026"],
    ["RMA-1004", "#1004", "0004", "1,5", "GOOD", "30/11/2026"],
    ["1.23457E+11", "#1005", "SKU-5", 1, "GOOD", "30/11/2026"],
    ["RMA-1006", "#1006", "SKU-6", 1, "GOOD", "31/11/2026"],
]
MAPPING = """\
columns: {rma: RMA, order: Order, sku: SKU, quantity: Qty, outcome: Condition, inspected_at: Inspected}
words: {NEW: APPROVED, GOOD: APPROVED}
date_format: DD/MM/YYYY
"""
TOP = "-r 80 -x 40 -y 60 -W 850 -H 140"
"""The part of the page that holds anything."""


def main() -> None:
    """Make the picture anew."""
    with tempfile.TemporaryDirectory() as folder:
        file = xlsx(Path(folder) / "day.xlsx", ROWS)
        read = read_warehouse_file(file, text(Path(folder) / "mapping.yaml", MAPPING))
        back = read.hand_back([(row.cells, row.why) for row in read.rows if isinstance(row, WrongRow)], None)
        assert back is not None
        printed(back, PICTURES / "refused-rows", TOP)


if __name__ == "__main__":
    main()
