"""`python -m tasks.policy.conditions_page`: the page `docs/conditions.md`, on stdout."""

import sys
from collections.abc import Iterator

from tasks.policy.condition_fields import FIELDS, Field, FieldKind
from tasks.policy.side_facts import EARLIER, OF_FIELD, OF_PRODUCT, SHOP_TELLS

HEAD = """# Conditions: what a rule of yours can ask

Below `when` stand fields, each with an operator and a value; several are joined by "and". This page is generated from
the fields that there are: `make docs`.

```yaml
when:
  return_value: {over: 1000.00 EUR}                # 1,000.00 itself is not over
  country: {is_one_of: [ES, PT]}
  earlier_returns: {at_least: 3, within_days: 90}  # counts of earlier returns may have a window
  any:
  - {sku: {starts_with: PROMO-}}                   # capitals count ...
  - {product_tags: {has: final sale, any_case: true}}    # ... but here
  not: {some_line: {reason: {is: DAMAGED}}}
```

`all`, `any` (each a list of conditions) and `not` join conditions. A field of a line asks each line by itself; within
`some_line` or `every_line` it asks the return whether that is so of one of its lines, or of each. A list that several
rules need stands under `lists` by its name: `sku: {in_list: final_sale}`.

**Unknown.** A fact that is not there makes its condition unknown, which is neither yes nor no: "yes or unknown" is yes,
"no and unknown" is no, all else with an unknown part is unknown, and then the return is held, where it makes a
difference to what is due. A fact that is known to be none (no scan yet) makes a condition false.

## Operators

| of | operators | a value |
| --- | --- | --- |
| a text | `is`, `is_one_of`, `in_list`, `starts_with`, `ends_with`, `contains` | `ES`; `any_case: true` beside it |
| texts | `has`, `has_any_of`, `has_all_of`, `in_list` (one of them is in it) | `VIP`; the same |
| true or false | `is` | `true` |
| a whole number | `is`, `over`, `at_least`, `under`, `at_most` | `3` |
| an amount | the same | `24.00 EUR`; an amount in another currency is unknown |
| a percentage | the same | `50 %`, not rounded: 49.99 is under 50 |
| a date | `is`, `after`, `from`, `before`, `until` | `2026-12-01`, a day of the store's zone |

With `any_case: true` capitals do not count. `over`, `under`, `after` and `before` leave the value itself out;
`at_least`, `at_most`, `from` and `until` take it in.
"""

BETWEEN = """
## Fields of each line

| field | of | means | known from |
| --- | --- | --- | --- |
"""

TAIL = """
What *table* and *shop's order* are: [policy.md](policy.md#what-rever-does-not-tell). Of the shopper's other returns
those in the stores of this desk count, without cancelled ones, and also those that began after this one while it
waits: of four that are open at once each has three others. `returns_before` and `number_of_order` leave those out.
Fields that are personal are asked by a list (`in_list`) and shown nowhere; of the postcode only whether it fits is
shown. Whole days are counted: 0 on the day itself.

Texts that your shop or others chose (`reason`, `reject_reason`, `gateway`, tags, types) have no closed list: they are
compared as they stand there, capitals too. `policy explain RETURN` shows what was found in a return.

**An amount in another currency is unknown**, and holds. Where a store sells in several, say which one is meant:

```yaml
when:
  any:
  - {currency: {is: EUR}, line_value: {at_most: 8.00 EUR}}
  - {currency: {is: SEK}, line_value: {at_most: 90.00 SEK}}
```
"""

_SEEN = frozenset({"days_since_first_scan", "days_since_arrival"})
_OF_THE_DESK = frozenset({"store", "today", "weekday", "hour", "held"})
_KINDS = {
    FieldKind.TEXT: "a text",
    FieldKind.TEXTS: "texts",
    FieldKind.FLAG: "true or false",
    FieldKind.NUMBER: "a whole number",
    FieldKind.MONEY: "an amount",
    FieldKind.PERCENT: "a percentage",
    FieldKind.DAY: "a date",
}


def conditions_page() -> str:
    """The page as markdown."""
    of_return = [field for field in FIELDS.values() if field.read_line is None]
    of_line = [field for field in FIELDS.values() if field.read_line is not None]
    heading = BETWEEN.replace("each line", "the return", 1)
    return "".join([HEAD, heading, *_rows(of_return), BETWEEN, *_rows(of_line), TAIL])


def _rows(fields: list[Field]) -> Iterator[str]:
    for field in fields:
        personal = ", personal" if field.personal else ", not shown" if field.hidden else ""
        window = "; `within_days`" if field.counts else ""
        yield f"| `{field.name}` | {_KINDS[field.kind]}{personal} | {field.about}{window} | {_known_from(field)} |\n"


def _known_from(field: Field) -> str:
    """Who tells it."""
    if field.name in _SEEN:
        return "the day on which the desk saw it"
    if field.name in _OF_THE_DESK:
        return "the desk"
    facts = OF_FIELD.get(field.name, ())
    if EARLIER in facts:
        return "REVER, asked for the shopper's other returns"
    if not facts:
        return "REVER"
    table = "table of orders" if OF_PRODUCT.isdisjoint(facts) else "table of products"
    return f"{table}, or the shop's order" if set(facts) <= SHOP_TELLS else table


if __name__ == "__main__":
    sys.stdout.write(conditions_page())
