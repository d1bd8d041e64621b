"""A pytest plugin for the mutation test: quick tests first, properties last and without looking for the least example.

A change that is noticed is mostly noticed by a quick test; which example of a property fails is nobody's question here.
"""

import pytest
from hypothesis import Phase, is_hypothesis_test, settings

CHOSEN = "_hypothesis_internal_use_settings"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort, and take the shrinking out of each property's settings."""
    items.sort(key=_is_property)
    for item in filter(_is_property, items):
        test = _function(item)
        own = getattr(test, CHOSEN, settings.default)
        setattr(test, CHOSEN, settings(own, phases=(Phase.explicit, Phase.generate), database=None))


def _function(item: pytest.Item) -> object:
    return getattr(item, "obj", None)


def _is_property(item: pytest.Item) -> bool:
    return bool(is_hypothesis_test(_function(item)))
