"""The policy file: merged tables, and one clear sentence for each thing wrong with it."""

from decimal import Decimal
from pathlib import Path

import pytest

from tasks.policy.policy_file import PolicyFileError, load_policy
from tasks.policy.store import NotReceived, StorePolicy


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_is_the_defaults() -> None:
    assert load_policy(None).for_store("acme") == StorePolicy()


def test_a_store_lies_over_the_default_with_its_nested_tables(tmp_path: Path) -> None:
    text = """
        [default]
        not_received = "hold"
        label_carriers = ["SENDCLOUD/DHL"]
        [default.guards]
        max_refunds_per_shopper = 3
        max_refund = { EUR = 500.10, SEK = "4000" }
        [stores."acme"]
        out_of_stock = "GIFT_CARD"
        [stores."acme".guards]
        max_refund = { EUR = 90 }
        """
    policies = load_policy(written(tmp_path, text))
    acme, other = policies.for_store("acme"), policies.for_store("nordic")
    assert (acme.not_received, acme.out_of_stock) == (NotReceived.HOLD, "GIFT_CARD")
    assert acme.guards.max_refund == {"EUR": Decimal(90), "SEK": Decimal(4000)}
    assert acme.guards.max_refunds_per_shopper == 3
    assert (other.out_of_stock, other.label_carriers) == ("hold", ("SENDCLOUD/DHL",))
    assert other.guards.max_refund["EUR"] == Decimal("500.10")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[default", ["not TOML"]),
        ("[defaults]\n", ["[defaults] is no table", "did you mean default?"]),
        ("default = 3\n", ["[default] is 3", "a table"]),
        ("stores = 3\n", ["[stores] is 3"]),
        ("[stores]\nacme = 3\n", ['[stores."acme"] is 3']),
        ("[default]\nnot_recieved = 'hold'\n", ["not_recieved is no rule", "did you mean not_received?"]),
        ("[default]\nnot_received = 'keep'\n", ['not_received is "keep"', "'approved' or 'hold'"]),
        ("[default]\nrever_pays_within_hours = '2'\n", ['rever_pays_within_hours is "2"', "a valid integer"]),
        ("[default]\nrever_pays_within_hours = true\n", ["rever_pays_within_hours is true"]),
        ("[default]\nout_of_stock = 'CASH'\n", ['out_of_stock is "CASH"', "hold, or one of BANK_TRANSFER"]),
        ("[default]\nout_of_stock = 'EXCHANGE'\n", ['out_of_stock is "EXCHANGE"']),
        ("[default]\nlabel_carriers = ['DHL']\n", ["label_carriers", "PROVIDER/CARRIER"]),
        ("[stores.acme.guards]\nmax_refund = { euro = 5 }\n", ['[stores."acme"] guards.max_refund', "capital letters"]),
        ("[stores.acme.guards]\nmax_refund = { EUR = -5 }\n", ["guards.max_refund", "0 or more"]),
        ("[stores.acme.guards]\nmax_refund = { EUR = inf }\n", ["guards.max_refund"]),
        ("[stores.acme.guards]\nmax_refnd = { EUR = 5 }\n", ["guards.max_refnd is no rule", "max_refund?"]),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, says: list[str]) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PolicyFileError) as caught:
        load_policy(path)
    assert str(path) in str(caught.value)
    for words in says:
        assert words in str(caught.value)


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    text = "[default]\nnot_received = 1\n[stores.acme]\nout_of_stock = 'CASH'\n[stores.b]\nfoo = 1\n"
    with pytest.raises(PolicyFileError) as caught:
        load_policy(written(tmp_path, text))
    assert len(caught.value.problems) == 3


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError, match="cannot be read"):
        load_policy(tmp_path / "absent.toml")
    with pytest.raises(PolicyFileError, match="cannot be read"):
        load_policy(tmp_path)
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# \xe9\n")
    with pytest.raises(PolicyFileError, match="UTF-8"):
        load_policy(path)
