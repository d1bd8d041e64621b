"""The shops' lines: a shop that takes the key, one that does not, one that is not there; and the tables of facts."""

from pathlib import Path

import pytest

from deployments.doctor.examination import State
from tests.deployments.doctor.conftest import Desk


def test_no_shop_has_no_line(desk: Desk) -> None:
    assert not [name for name in desk.lines("shop") if "shop" in name]


def test_a_shop_that_takes_the_key_is_well(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_SHOP_URL", desk.sandbox.base_url)
    monkeypatch.setenv("REVER_SHOP_KEY", desk.sandbox.shop_key)
    line = desk.lines("shop")["shop of acme, nordic"]
    assert (line.state, line.found) == (State.OK, f"{desk.sandbox.base_url} responds, and accepts the key")


def test_a_wrong_key_and_a_shop_that_is_not_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVER_SHOP_URL", f"acme={desk.sandbox.base_url},nordic=http://127.0.0.1:9")
    monkeypatch.setenv("REVER_SHOP_KEY", "acme=wr0ng,nordic=wr0ng")
    lines = desk.lines("shop")
    assert (lines["shop of acme"].state, lines["shop of nordic"].state) == (State.BROKEN, State.ATTENTION)
    assert "REVER_SHOP_KEY" in lines["shop of acme"].to_do
    assert "cannot be reached" in lines["shop of nordic"].found
    assert "wr0ng" not in str(lines)


def test_the_tables_of_facts_are_read_with_the_policy_file(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policy.yaml").write_text("default:\n  facts: {products: products.csv}\n")
    table = tmp_path / "products.csv"
    table.write_text("sku,vendor\n007,Acme\n")
    table.chmod(0o666)
    monkeypatch.setenv("REVER_POLICY", str(tmp_path / "policy.yaml"))
    lines = desk.lines("policy file", "file modes")
    assert lines["policy file"].found.endswith(f"; facts from {table}")
    assert f"{table} 0666" in lines["file modes"].found
    table.write_text("sku,vendr\n007,Acme\n")
    wrong = desk.lines("policy file")["policy file"]
    assert wrong.state is State.BROKEN
    assert "did you mean vendor?" in wrong.found
