"""The policy page's example is a policy file that works, and its defaults are the real ones."""

import json
import re
import tomllib
from decimal import Decimal
from pathlib import Path

from tasks.policy.policy_file import load_policy
from tasks.policy.store import StorePolicy

PAGE = Path(__file__).parents[3] / "docs" / "policy.md"


def example() -> str:
    found = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found.group(1)


def test_the_example_loads_and_merges(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(example(), encoding="utf-8")
    policies = load_policy(file)
    acme, other = policies.for_store("acme"), policies.for_store("nordic")
    assert (acme.out_of_stock, other.out_of_stock) == ("GIFT_CARD", "hold")
    assert (acme.guards.max_refund["EUR"], other.guards.max_refund["EUR"]) == (Decimal(500), Decimal(300))
    assert acme.guards.max_refund["SEK"] == Decimal(3000)


def test_what_it_shows_as_defaults_are_the_defaults() -> None:
    shown = tomllib.loads(example())["default"]
    shown.pop("guards")
    assert StorePolicy.model_validate_json(json.dumps(shown)) == StorePolicy()
    assert set(shown) | {"guards"} == set(StorePolicy.model_fields)
