"""The policy page's example is a policy file that works, and its defaults are the real ones."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from tasks.policy.policy_file import PolicyFileError, read_policy
from tasks.policy.store import StorePolicy

PAGE = Path(__file__).parents[3] / "docs" / "policy.md"


def example() -> str:
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found.group(1)


def test_the_example_loads_and_merges(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(example(), encoding="utf-8")
    policies = read_policy(file)
    acme, other = policies.for_store("acme"), policies.for_store("nordic")
    assert (acme.out_of_stock, other.out_of_stock) == ("GIFT_CARD", "hold")
    assert (acme.guards.max_refund["EUR"], other.guards.max_refund["EUR"]) == (Decimal(500), Decimal(300))
    assert acme.guards.max_refund["SEK"] == Decimal(3000)


def test_what_it_shows_as_defaults_are_the_defaults() -> None:
    shown = yaml.safe_load(example())["default"]
    shown.pop("guards")
    assert StorePolicy.model_validate_json(json.dumps(shown)) == StorePolicy()
    assert set(shown) | {"guards"} == set(StorePolicy.model_fields)


def test_the_problems_that_it_shows_are_those_that_are_said(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        example().replace('"300.00"', "300.00").replace("    out_of_stock: G", "    out_of_stok: G"), "utf-8"
    )
    with pytest.raises(PolicyFileError) as caught:
        read_policy(file)
    page = PAGE.read_text(encoding="utf-8")
    assert [
        shown.split(", line ")[1].split("; there are")[0] for shown in re.findall(r"(rever-returns: .*)", page)
    ] == [problem.split(", line ")[1].split("; there are")[0] for problem in caught.value.problems]
