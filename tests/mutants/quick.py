"""A pytest plugin for the mutation test: the changed module's tests first, properties last and without shrinking.

A change that is noticed is mostly noticed by a quick test of its own module; which example of a property fails is
nobody's question here.
"""

import gc
import os

import pytest
from hypothesis import Phase, is_hypothesis_test, settings

CHOSEN = "_hypothesis_internal_use_settings"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort, and take the shrinking out of each property's settings."""
    gc.freeze()  # At its end pytest looks for garbage ten times: not in all that stood before this change.
    changed = os.environ.get("MUTANT_UNDER_TEST", "")  # tasks.ledger.answers.x__close__mutmut_3
    first = f"test_{changed.split('.')[-2]}.py" if changed.count(".") > 2 else ""
    items.sort(key=lambda item: (_is_property(item), item.path.name != first))
    for item in filter(_is_property, items):
        test = _function(item)
        own = getattr(test, CHOSEN, settings.default)
        setattr(test, CHOSEN, settings(own, phases=(Phase.explicit, Phase.generate), database=None))


def _function(item: pytest.Item) -> object:
    return getattr(item, "obj", None)


def _is_property(item: pytest.Item) -> bool:
    return bool(is_hypothesis_test(_function(item)))
