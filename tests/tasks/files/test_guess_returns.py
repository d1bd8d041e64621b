"""The header rows of real lists, with made-up values, are guessed rightly, and the mapping reads the list."""

from pathlib import Path

import pytest

from tasks.files.guess_returns import ReturnsGuess, guess_returns
from tasks.files.guess_text import guess_lines, mapping_text
from tasks.files.mapping import MappingError, load_mapping
from tasks.files.new_returns import read_returns_file, wanted_returns
from tasks.files.open_table import open_table
from tasks.files.return_mapping import ReturnMapping
from tests.tasks.files.files import text
from tests.tasks.files.test_guess import PARCELLAB

SHOPIFY = """\
Name,Email,Financial Status,Fulfillment Status,Currency,Total,Created at,Lineitem quantity,Lineitem name,\
Lineitem price,Lineitem sku,Billing Name,Shipping Zip,Notes,Id,Return reason
#1001,ana@example.com,paid,fulfilled,EUR,24.00,2026-10-02 17:09:34 -0300,1,Shirt,12.00,SKU-1,Ana Ruiz,'0801,,1,Too small
#1001,ana@example.com,,,,,,1,Hat,12.00,SKU-2,,,,,Changed my mind
#1002,bo@example.com,paid,fulfilled,EUR,24.00,2026-10-02 17:09:34 -0300,2,Shirt,12.00,SKU-1,Bo Ek,'08001,,2,Hm
"""
BACK_OFFICE = """\
Liste der Retouren;;;;;;
RMA number;Bestellnummer;E-Mail;Artikelnummer;Menge;Retourengrund;Refund type
R-1;#1001;ana@example.com;SKU-1;1;zu klein;Gutschein
R-2;#1002;bo@example.com;SKU-2;1;defekt;Transfer
Total;2;;;;;
"""
LISTS = {
    "shopify": (
        SHOPIFY,
        {
            "order": "Name", "email": "Email", "sku": "Lineitem sku", "quantity": "Lineitem quantity",
            "reason": "Return reason",
        },
        {"Too small": "WRONG_SIZE_TOO_SMALL", "Changed my mind": "CHANGED_MY_MIND", "Hm": ""},
    ),
    "back office": (
        BACK_OFFICE,
        {
            "key": "RMA number", "order": "Bestellnummer", "email": "E-Mail", "sku": "Artikelnummer",
            "quantity": "Menge", "reason": "Retourengrund", "method": "Refund type",
        },
        {"zu klein": "WRONG_SIZE_TOO_SMALL", "defekt": "DEFECTIVE"},
    ),
    "parcellab": (
        PARCELLAB,
        {
            "order": "orderNumber", "sku": "SKU", "quantity": "returnQuantity", "reason": "returnReason",
            "method": "compensationMethod",
        },
        {"Wrong item delivered": "WRONG_ITEM"},
    ),
}  # fmt: skip


def guessed(path: Path, content: str) -> ReturnsGuess:
    return guess_returns(open_table(text(path, content)))


@pytest.mark.parametrize("name", LISTS)
def test_the_header_and_the_words_of_a_list_are_guessed(tmp_path: Path, name: str) -> None:
    content, meant, reasons = LISTS[name]
    found = guessed(tmp_path / "in.csv", content)
    assert found.meant == meant
    assert {it.what: it.meant for it in found.words["reason"]} == reasons
    lines = "\n".join(guess_lines(found))
    assert "ana@example.com" not in lines + mapping_text(found, "in.csv")
    (tmp_path / "m.yaml").write_text(mapping_text(found, "in.csv"))
    if not {"email", "key"} <= set(meant):
        assert found.lacks
        with pytest.raises(MappingError, match="the mapping lacks something"):
            load_mapping(tmp_path / "m.yaml", ReturnMapping)
        return
    assert load_mapping(tmp_path / "m.yaml", ReturnMapping).columns.named() == meant


def test_a_guessed_mapping_reads_its_list_once_a_person_has_decided(tmp_path: Path) -> None:
    written = mapping_text(guessed(tmp_path / "in.csv", BACK_OFFICE), "in.csv")
    assert '  # "Gutschein": GIFT_CARD  # 60 %: in 1 row; it may be meant otherwise' in written
    (tmp_path / "m.yaml").write_text(written.replace('# "Gutschein"', '"Gutschein"'))
    file = read_returns_file(tmp_path / "in.csv", tmp_path / "m.yaml")
    wanted, refused = wanted_returns(file.rows, file.mapping, "acme")
    assert refused == []
    assert [(it.order_name, it.items[0].reason, it.items[0].method) for it in wanted] == [
        ("#1001", "WRONG_SIZE_TOO_SMALL", "GIFT_CARD"),
        ("#1002", "DEFECTIVE", "BANK_TRANSFER"),
    ]
    shop = mapping_text(guessed(tmp_path / "shop.csv", SHOPIFY), "shop.csv")
    assert "# one_return_per: order  # or row" in shop
    decided = shop.replace("# one_return_per", "one_return_per").replace('# "Hm": ?', '"Hm": OTHER')
    (tmp_path / "s.yaml").write_text(decided)
    file = read_returns_file(tmp_path / "shop.csv", tmp_path / "s.yaml")
    assert [len(it.rows) for it in wanted_returns(file.rows, file.mapping, "acme")[0]] == [2, 1]


def test_a_column_of_many_different_words_is_not_one_of_reasons(tmp_path: Path) -> None:
    rows = "".join(f"#{n},a{n}@example.com,S{n},said {n}\n" for n in range(100))
    found = guessed(tmp_path / "in.csv", f"Order,Email,SKU,Reason\n{rows}")
    assert "reason" not in found.meant
    assert "reason" not in found.words


def test_a_word_of_rever_s_is_itself(tmp_path: Path) -> None:
    found = guessed(tmp_path / "in.csv", "Order,Email,SKU,Reason\n#1,a@example.com,A,WRONG_COLOR\n")
    assert [(it.what, it.meant) for it in found.words["reason"]] == [("WRONG_COLOR", "WRONG_COLOR")]
