"""`rever-returns policy check`: what a file does in words, or all that is wrong with it."""

from pathlib import Path

import pytest

from deployments.cli.ready_policies import PolicyKind, ready_policy
from tests.deployments.cli.conftest import Call
from tests.tasks.policy.test_policy_file import YAML


def test_a_file_that_is_right_is_told_in_words(call: Call) -> None:
    Path("policy.yaml").write_text(YAML)
    ended = call("policy", "check", "policy.yaml")
    assert (ended.code, ended.err) == (0, "")
    every, _, acme = ended.out.partition("Store acme, where it differs:")
    assert every.startswith("policy.yaml is right.\n")
    assert "A line that never reached the shopper is held for a person." in every
    assert "A refund over 500.10 EUR or 4,000.00 SEK is held; in another currency it has no cap." in every
    assert "A refund is held that would be more than 3 refunds to one shopper within 30 days." in every
    assert acme.split("\n") == [
        "",
        "  An exchange that is out of stock is refunded by GIFT_CARD.",
        "  A refund over 90.00 EUR or 4,000.00 SEK is held; in another currency it has no cap.",
        "",
    ]


def test_everything_that_is_wrong_is_said_at_once(call: Call) -> None:
    Path("policy.yaml").write_text("default:\n  out_of_stock: no\nstores:\n  nordic:\n    not_received: keep\n")
    ended = call("policy", "check", "policy.yaml")
    assert (ended.code, ended.out) == (2, "")
    lines = ended.err.splitlines()
    assert [line.partition(": ")[2].partition(":")[0] for line in lines] == [
        "policy.yaml, line 2",
        "policy.yaml, line 4",
        "policy.yaml, line 5",
    ]
    assert "nordic is no store of this desk" in lines[1]


def test_without_a_file_it_is_the_one_in_force_and_no_key_is_needed(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REVER_API_KEY")
    none = call("policy", "check")
    assert none.code == 0
    assert none.out.startswith("No policy file is set (REVER_POLICY): the default rules hold.")
    assert "A refund has no cap." in none.out
    monkeypatch.setenv("REVER_POLICY", "gone.yaml")
    gone = call("policy", "check")
    assert (gone.code, gone.out) == (2, "")
    assert "gone.yaml: the policy file cannot be read" in gone.err


def test_rules_are_told_in_words(call: Call) -> None:
    Path("policy.yaml").write_text(
        """\
default:
  rules:
  - name: VIP
    when: {customer_tags: {has: VIP}, not: {return_value: {over: 500.00 EUR}}}
    then: {pay: {at: first_scan}, no_fee: {}}
    if_unknown: does_not_match
stores:
  acme:
    rules:
    - name: new prices
      when: {sku: {starts_with: NEW-}}
      then: {fee: {amount: 6.00 EUR}}
      applies_to: new
      from: 2026-12-01
"""
    )
    ended = call("policy", "check", "policy.yaml")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("policy.yaml is right.\n")
    rules = ended.out[ended.out.index("  Rule 1, VIP") :].splitlines()
    assert rules[:4] == [
        "  Rule 1, VIP: asked of the return.",
        "    When customer_tags has VIP and not (return_value over 500.00 EUR).",
        "    Then pay (at first_scan).",
        "    Then no_fee.",
    ]
    assert rules[4:9] == [
        "    Where a fact is missing, it does not match.",
        "",
        "Store acme, where it differs:",
        "  Rule 1, new prices: asked of each line, from 2026-12-01, which is asked of the day the return began.",
        "    When sku starts_with NEW-.",
    ]


def test_what_is_probably_not_meant_is_said_and_is_no_error(call: Call) -> None:
    Path("policy.yaml").write_text(
        """\
default:
  rules:
  - name: dear
    when: {return_value: {over: 100.00 EUR, under: 50.00 EUR}}
    then: {approve: {who: finance, why: dear}}
    if_unknown: does_not_match
  - name: summer
    then: {no_fee: {}}
    applies_to: all
    until: 2026-01-31
"""
    )
    ended = call("policy", "check", "policy.yaml")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-3:] == [
        "Probably not meant:",
        "  line 3: rule 'dear' can never match: return_value over 100.00 EUR and return_value under 50.00 EUR are "
        "never true together.",
        "  line 7: rule 'summer' can never match: its last day was 2026-01-31.",
    ]


@pytest.mark.parametrize(("payer", "code"), [("rever", 2), ("acme=rever,nordic=us", 2), ("us", 0), ("", 0)])
def test_rules_about_money_where_rever_pays_are_named(
    call: Call, monkeypatch: pytest.MonkeyPatch, payer: str, code: int
) -> None:
    rule = "{name: free, then: {no_fee: {}}}"
    Path("policy.yaml").write_text(f"stores:\n  acme:\n    rules: [{rule}]\n")
    monkeypatch.setenv("REVER_REFUNDS_BY", payer)
    ended = call("policy", "check", "policy.yaml")
    assert (ended.code, ended.out.startswith("policy.yaml is right.")) == (code, True)
    words = "REVER pays at store 'acme' (REVER_REFUNDS_BY), so its rules about money would do nothing: 'free'"
    assert (words in ended.err) is bool(code)
    monkeypatch.setenv("REVER_REFUNDS_BY", "them")
    assert "REVER_REFUNDS_BY is wrong at 'them'" in call("policy", "check", "policy.yaml").err


def test_the_tables_of_facts_are_read_and_what_no_table_tells_is_named(call: Call) -> None:
    Path("policy.yaml").write_text(
        """\
default:
  facts: {products: products.csv, orders: orders.csv}
  rules:
  - name: final sale
    when: {product_tags: {has: Final Sale}}
    then: {decline: {why: final sale}}
  - name: look at it
    when: {any: [{gateway: {is: cash}}, {customer_tags: {has: watch}}, {earlier_returns: {over: 3}}]}
    then: {approve: {who: service, why: look at it}}
  - name: all of it
    when: {whole_order: {is: true}}
    then: {no_fee: {}}
"""
    )
    Path("products.csv").write_text("sku,product_tags\n007,Final Sale\nS-2,-\n")
    Path("orders.csv").write_text("order_name,ordered_on,items\n#1001,2026-03-01,007:1\n")
    ended = call("policy", "check", "policy.yaml")
    assert (ended.code, ended.err) == (0, "")
    facts = ended.out[ended.out.index("Facts that REVER does not tell") :].splitlines()
    assert facts == [
        "Facts that REVER does not tell, for every store:",
        "  products.csv: 2 products with product_tags.",
        "  orders.csv: 1 row of orders with items, ordered_on.",
        "  No table tells gateway, for which rule 'look at it' asks: it stays unknown, unless the shop's own orders are"
        " asked (REVER_SHOP_URL).",
        "  No table tells customer_tags, for which rule 'look at it' asks: it stays unknown.",
    ]


def test_what_the_shop_tells_is_not_missing(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("policy.yaml").write_text(
        "default:\n  rules: [{name: a, when: {gateway: {is: cash}, fraud_risk: {is: high}}, then: {no_fee: {}}}]\n"
    )
    monkeypatch.setenv("REVER_SHOP_URL", "https://shop.example.com")
    ended = call("policy", "check", "policy.yaml")
    assert "No table tells fraud_risk, for which rule 'a' asks: it stays unknown." in ended.out
    assert "gateway, for which" not in ended.out


def test_a_table_that_is_wrong_is_refused_by_check_and_by_every_run(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("policy.yaml").write_text("default:\n  facts: {orders: orders.csv}\n")
    Path("orders.csv").write_text("order_id,ordered_on\n42,yesterday\n")
    monkeypatch.setenv("REVER_POLICY", "policy.yaml")
    for words in (("policy", "check"), ("run", "process-pending-returns", "--no-prefect")):
        ended = call(*words)
        assert (ended.code, ended.out) == (2, "")
        assert "orders.csv, row 2, ordered_on is 'yesterday'; right would be a date" in ended.err
    Path("policy.yaml").write_text("default:\n  facts: {order: orders.csv}\n")
    assert "default.facts.order is no rule (did you mean orders?)" in call("policy", "check").err


@pytest.mark.parametrize("kind", PolicyKind)
def test_a_ready_policy_is_written_and_is_right(call: Call, kind: PolicyKind) -> None:
    ended = call("policy", "new", "--kind", kind, "mine.yaml")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"mine.yaml is the {kind} policy.")
    assert Path("mine.yaml").read_text("utf-8") == ready_policy(kind)
    checked = call("policy", "check", "mine.yaml")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.startswith("mine.yaml is right.\n")
    assert "Probably not meant" not in checked.out
    assert "stays unknown" not in checked.out


def test_the_standard_one_is_written_where_no_kind_is_named(call: Call) -> None:
    assert call("policy", "new").code == 0
    assert Path("policy.yaml").read_text("utf-8") == ready_policy(PolicyKind.STANDARD)


def test_a_file_that_is_there_is_never_written_over(call: Call) -> None:
    Path("policy.yaml").write_text("default: {}\n")
    Path("link.yaml").symlink_to("policy.yaml")
    for name in ("policy.yaml", "link.yaml"):
        ended = call("policy", "new", name)
        assert (ended.code, ended.out) == (2, "")
        assert f"{name} is there already, and is not written over" in ended.err
    assert Path("policy.yaml").read_text() == "default: {}\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("gone/policy.yaml",), "gone/policy.yaml cannot be written (No such file or directory)"),
        (("policy.toml",), "a name that ends in .yaml"),
        (("--kind", "quick"), "'cautious', 'standard', 'fast'"),
    ],
)
def test_what_cannot_be_written_is_said(call: Call, words: tuple[str, ...], says: str) -> None:
    ended = call("policy", "new", *words)
    assert ended.code == 2
    assert says in ended.err
    assert list(Path().iterdir()) == []


def test_one_table_of_facts_is_checked_before_a_policy_names_it(call: Call) -> None:
    Path("products.csv").write_text("sku,product_tags\n007,Final Sale\nS-2,-\n")
    ended = call("facts", "check", "products.csv")
    assert (ended.code, ended.err, ended.out) == (
        0,
        "",
        "products.csv is right: 2 products with product_tags.\n"
        "Name it in the policy file: `facts: {products: products.csv}`, and put it beside that.\n",
    )
    Path("orders.csv").write_text("order_name,ordered_on,order_tags\n#1,01/03/2026,vip\n#2,2026-03-01,a;b\n")
    ended = call("facts", "check", "orders.csv")
    assert (ended.code, ended.out) == (2, "")
    assert "orders.csv, row 2, ordered_on is '01/03/2026'; right would be a date" in ended.err
    assert "orders.csv, row 3, order_tags is 'a;b'; right would be tags parted by |" in ended.err
    Path("names.csv").write_text("name\nx\n")
    assert "names.csv: its first row names neither sku" in call("facts", "check", "names.csv").err
    assert "none.csv: is not there." in call("facts", "check", "none.csv").err


@pytest.mark.parametrize(
    ("payers", "stores"), [("rever", ""), ("rever", "acme,nordic"), ("us", ""), ("acme=rever", "")]
)
def test_where_rever_pays_at_stores_that_nothing_names_rules_about_money_are_warned_of(
    call: Call, monkeypatch: pytest.MonkeyPatch, payers: str, stores: str
) -> None:
    """Which stores there are REVER alone knows, and `policy check` asks nobody."""
    Path("policy.yaml").write_text("default:\n  rules: [{name: free, then: {no_fee: {}}}]\n")
    monkeypatch.setenv("REVER_REFUNDS_BY", payers)
    monkeypatch.setenv("REVER_STORES", stores)
    said = "REVER pays at every store that is not named (REVER_REFUNDS_BY), and so 'free' would do nothing"
    assert (said in call("policy", "check", "policy.yaml").out) is ((payers, stores) == ("rever", ""))
