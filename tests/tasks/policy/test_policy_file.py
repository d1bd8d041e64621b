"""The policy file: merged parts, and one clear sentence for each thing wrong with it."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from tasks.policy.policy_file import PolicyFileError, read_policy
from tasks.policy.store import NotReceived, StorePolicy


def written(tmp_path: Path, text: str, name: str = "policy.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_is_the_defaults() -> None:
    assert read_policy(None).for_store("acme") == StorePolicy()


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
    policies = read_policy(written(tmp_path, text))
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
        ("[defaults]\n", ["defaults is no part", "did you mean default?"]),
        ("default = 3\n", ["default is 3", "fields below it"]),
        ("stores = 3\n", ["stores is 3"]),
        ("[stores]\nacme = 3\n", ["stores.acme is 3"]),
        ("[default]\nnot_recieved = 'hold'\n", ["not_recieved is no rule", "did you mean not_received?"]),
        ("[default]\nnot_received = 'keep'\n", ['not_received is "keep"', "'approved' or 'hold'"]),
        ("[default]\nrever_pays_within_hours = '2'\n", ['rever_pays_within_hours is "2"', "a valid integer"]),
        ("[default]\nrever_pays_within_hours = true\n", ["rever_pays_within_hours is true"]),
        ("[default]\nout_of_stock = 'CASH'\n", ['out_of_stock is "CASH"', "hold, or one of BANK_TRANSFER"]),
        ("[default]\nout_of_stock = 'EXCHANGE'\n", ['out_of_stock is "EXCHANGE"']),
        ("[default]\nlabel_carriers = ['DHL']\n", ["label_carriers", "PROVIDER/CARRIER"]),
        (
            "[stores.acme.guards]\nmax_refund = { euro = 5 }\n",
            ["stores.acme.guards.max_refund.euro", "capital letters"],
        ),
        ("[stores.acme.guards]\nmax_refund = { EUR = -5 }\n", ["guards.max_refund", "0 or more"]),
        ("[stores.acme.guards]\nmax_refund = { EUR = inf }\n", ["guards.max_refund"]),
        ("[stores.acme.guards]\nmax_refnd = { EUR = 5 }\n", ["guards.max_refnd is no rule", "max_refund?"]),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, says: list[str]) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PolicyFileError) as caught:
        read_policy(path)
    assert str(path) in str(caught.value)
    for words in says:
        assert words in str(caught.value)


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    text = "[default]\nnot_received = 1\n[stores.acme]\nout_of_stock = 'CASH'\n[stores.b]\nfoo = 1\n"
    path = written(tmp_path, text)
    with pytest.raises(PolicyFileError) as caught:
        read_policy(path)
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        f"{path}, line {line}" for line in (2, 4, 6)
    ]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError, match="cannot be read"):
        read_policy(tmp_path / "absent.toml")
    with pytest.raises(PolicyFileError, match="cannot be read"):
        read_policy(tmp_path)
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# \xe9\n")
    with pytest.raises(PolicyFileError, match="UTF-8"):
        read_policy(path)


YAML = """\
default:
  not_received: hold
  label_carriers: [SENDCLOUD/DHL]
  guards:
    max_refunds_per_shopper: 3
    max_refund: {EUR: "500.10", SEK: 4000}
stores:
  acme:
    out_of_stock: GIFT_CARD
    guards:
      max_refund:
        EUR: 90
"""


TOML = """\
[default]
not_received = "hold"
label_carriers = ["SENDCLOUD/DHL"]
[default.guards]
max_refunds_per_shopper = 3
max_refund = { EUR = 500.10, SEK = 4000 }
[stores.acme]
out_of_stock = "GIFT_CARD"
[stores.acme.guards]
max_refund = { EUR = 90 }
"""


def test_yaml_json_and_toml_say_the_same(tmp_path: Path) -> None:
    from_yaml = read_policy(written(tmp_path, YAML, "policy.yaml"))
    assert from_yaml.for_store("acme").guards.max_refund == {"EUR": Decimal(90), "SEK": Decimal(4000)}
    assert from_yaml.default.guards.max_refund["EUR"] == Decimal("500.10")
    assert from_yaml == read_policy(written(tmp_path, TOML))
    as_json = json.dumps(yaml.safe_load(YAML), indent=2)
    assert from_yaml == read_policy(written(tmp_path, as_json, "policy.json"))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("default:\n  not_recieved: hold\n", 2, ["default.not_recieved is no rule", "did you mean not_received?"]),
        ("default:\n  out_of_stock: CASH\n", 2, ['default.out_of_stock is "CASH"', "hold, or one of BANK_TRANSFER"]),
        ("default:\n\n  out_of_stock: no\n", 3, ["is no without quotes", "true or false"]),
        ("default:\n  guards:\n    max_refund: {EUR: 24.50}\n", 3, ["EUR is 24.50", 'write "24.50" with quotes']),
        ("default:\n  guards:\n    max_refund:\n      EUR: 1_000\n", 4, ["EUR is 1_000", "plain digits"]),
        ("default:\n  guards:\n    max_refund:\n      EUR: 1,000\n", 4, ['EUR is "1,000"', "plain digits"]),
        ("default:\n  guards: {max_refunds_per_shopper: }\n", 2, ["max_refunds_per_shopper has no value"]),
        ("default:\n  guards: {max_refunds_per_shopper: 1.0}\n", 2, ["is 1.0 without quotes"]),
        ("default:\n  guards: {max_refunds_per_shopper: 0}\n", 2, ["is 0", "greater than or equal to 1"]),
        ("default:\n  currencies:\n  - EUR\n  - euro\n", 4, ['default.currencies[2] is "euro"', "such as EUR"]),
        ("default: hold\n", 1, ['default is "hold"', "fields below it"]),
        ("default:\n", 1, ["default has no value"]),
        ("stores: [acme]\n", 1, ['stores is ["acme"]', "ids"]),
        ("stores:\n  a b:\n    guards: 1\n", 3, ['stores."a b".guards is 1']),
        ("defaults: {}\n", 1, ["defaults is no part", "did you mean default?"]),
        ("default: {}\nrules: []\n", 2, ["rules is no part of a policy file"]),
        ("- default\n", 1, ["no policy", "`default:`"]),
    ],
)
def test_what_is_wrong_in_yaml_is_said_with_its_line(tmp_path: Path, text: str, line: int, says: list[str]) -> None:
    path = written(tmp_path, text, "policy.yml")
    with pytest.raises(PolicyFileError) as caught:
        read_policy(path)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"{path}, line {line}: ")
    for words in says:
        assert words in str(caught.value)


def test_problems_of_reading_and_of_meaning_are_all_said_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
        default:
          out_of_stock: no
          guards:
            max_refund: {EUR: 24.50, euro: 5, SEK: -4}
            max_refnd: {EUR: 5}
        stores:
          acme: {not_received: keep}
          nordik: {not_received: hold}
          acme: {}
        """
    path = written(tmp_path, text, "policy.yaml")
    with pytest.raises(PolicyFileError) as caught:
        read_policy(path, ours=("acme", "nordic"))
    lines = [int(problem.removeprefix(f"{path}, line ").partition(":")[0]) for problem in caught.value.problems]
    assert lines == [2, 4, 4, 4, 5, 7, 8, 9]
    assert "did you mean nordic?" in str(caught.value)


def test_a_file_that_holds_nothing_is_no_policy_without_caps(tmp_path: Path) -> None:
    for name in ("policy.yaml", "policy.toml"):
        with pytest.raises(PolicyFileError, match="is empty"):
            read_policy(written(tmp_path, " \n", name))
    assert read_policy(written(tmp_path, "# all as by default\n", "policy.yaml")) == read_policy(None)
