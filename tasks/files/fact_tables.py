"""The merchant's tables of what REVER does not tell: products by SKU, orders by their id or name.

The policy file names them. A column has the name of the fact that it tells (`tasks.files.fact_rows` reads the cells).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from tasks.files.fact_rows import (
    Columns,
    FactTableError,
    TableReader,
    day,
    items,
    money,
    number,
    size,
    tags,
    text,
    weight,
)
from tasks.files.open_table import open_table
from tasks.files.table import InputFileError, Row
from tasks.lookup import bare_order
from tasks.policy.facts import counted
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.policy_file import PolicyFile
from tasks.policy.side_facts import EARLIER, SHOP_TELLS, WHOLE_ORDER, OrderFacts, ProductFacts, SideFacts, needed
from tasks.policy.store import FactTables, LabelPolicy

TableT = TypeVar("TableT")

PRODUCT_COLUMNS: Columns = MappingProxyType(
    {
        "product_type": ("product_type", text),
        "vendor": ("vendor", text),
        "product_tags": ("product_tags", tags),
        "variants": ("variants", number),
        "product_cost": ("cost", money),
        "weight": ("weight", weight),
        "size": ("size", size),
    }
)

ORDER_COLUMNS: Columns = MappingProxyType(
    {
        "ordered_on": ("ordered_on", day),
        "fulfilled_on": ("fulfilled_on", day),
        "delivered_on": ("delivered_on", day),
        "order_value": ("order_value", money),
        "shipping": ("shipping", money),
        "goods_value": ("goods_value", money),
        "label_cost": ("label_cost", money),
        "order_tags": ("order_tags", tags),
        "customer_tags": ("customer_tags", tags),
        "gateway": ("gateway", text),
        "fraud_risk": ("fraud_risk", text),
        "items": ("items", items),
    }
)

_COLUMNS = MappingProxyType({fact: column for column, (fact, _) in (*PRODUCT_COLUMNS.items(), *ORDER_COLUMNS.items())})
"""Fact -> the column that tells it."""
SKU, ORDER_ID, ORDER_NAME, STORE = "sku", "order_id", "order_name", "store"


@dataclass(frozen=True, slots=True)
class ProductTable:
    """A table of products. `told` are the facts that it has a column for."""

    path: Path
    products: Mapping[str, ProductFacts]
    told: frozenset[str]


@dataclass(frozen=True, slots=True)
class OrderTable:
    """A table of orders, those of each store by id and by name; under "" where it names no stores."""

    path: Path
    by_id: Mapping[str, Mapping[str, OrderFacts]]
    by_name: Mapping[str, Mapping[str, OrderFacts]]
    told: frozenset[str]
    rows: int

    @property
    def names_stores(self) -> bool:
        """Whether each row says of which store its order is."""
        return "" not in self.by_id and "" not in self.by_name


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables that a policy file names, by the names that it has for them."""

    products: Mapping[str, ProductTable] = field(default_factory=dict)
    orders: Mapping[str, OrderTable] = field(default_factory=dict)


def read_tables(policies: PolicyFile, file: Path | None) -> Tables:
    """All tables that the policy file names. Raises `FactTableError` with every problem of every table."""
    tables, broken = _readable(policies, file)
    if broken:
        raise FactTableError(tuple(problem for problems in broken.values() for problem in problems))
    return tables


def _readable(policies: PolicyFile, file: Path | None) -> tuple[Tables, dict[str, list[str]]]:
    """The tables that the policy file names and that can be read; and what is wrong with each of the others."""
    folder = file.parent if file else Path()
    named = [policy.facts for policy in (policies.default, *policies.stores.values())]
    products: dict[str, ProductTable] = {}
    orders: dict[str, OrderTable] = {}
    broken: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(each.products for each in named if each.products):
        with _noted(broken, name):
            products[name] = read_products(folder / name)
    for name in dict.fromkeys(each.orders for each in named if each.orders):
        with _noted(broken, name):
            orders[name] = read_orders(folder / name)
    return Tables(products, orders), broken


@contextmanager
def _noted(broken: dict[str, list[str]], name: str) -> Iterator[None]:
    try:
        yield
    except FactTableError as error:
        broken[name] += error.problems


def store_facts(policies: PolicyFile, tables: Tables, stores: Sequence[str]) -> dict[str, SideFacts]:
    """What the tables tell, for each of these stores.

    Raises `FactTableError` where stores share a table of orders that does not say which order is of which: two shops
    may have the same numbers.
    """
    named = {store: policies.for_store(store).facts for store in stores}
    for name, orders in tables.orders.items():
        sharing = [store for store, facts in named.items() if facts.orders == name]
        if len(sharing) > 1 and not orders.names_stores:
            words = f"is the table of orders of {', '.join(sharing)}, and two shops may have the same numbers"
            raise FactTableError((f"{orders.path} {words}; add a column {STORE}, or name a table for each store.",))
    return {store: _of_store(facts, tables, store) for store, facts in named.items()}


def read_store_facts(policies: PolicyFile, file: Path | None, stores: Sequence[str]) -> dict[str, SideFacts]:
    """What the tables that the policy file names tell, for each of these stores. Raises `FactTableError`."""
    return store_facts(policies, read_tables(policies, file), stores)


def facts_by_store(
    policies: PolicyFile, file: Path | None, stores: Sequence[str]
) -> tuple[dict[str, SideFacts], dict[str, tuple[str, ...]]]:
    """What the tables tell, for each of these stores; and of the stores whose tables cannot be read, why.

    Raises `FactTableError` as `store_facts` does.
    """
    tables, broken = _readable(policies, file)
    refused = {}
    for store in stores:
        facts = policies.for_store(store).facts
        wrong = [problem for name in {facts.products, facts.orders} & broken.keys() for problem in broken[name]]
        if wrong:
            refused[store] = tuple(wrong)
    return store_facts(policies, tables, [store for store in stores if store not in refused]), refused


def _of_store(named: FactTables, tables: Tables, store: str) -> SideFacts:
    products, orders = tables.products.get(named.products), tables.orders.get(named.orders)
    by_id, by_name = (orders.by_id, orders.by_name) if orders else ({}, {})
    return SideFacts(
        products=products.products if products else {},
        orders=by_id.get("", by_id.get(store, {})),
        orders_by_name=by_name.get("", by_name.get(store, {})),
    )


def facts_in_words(policies: PolicyFile, tables: Tables, *, shop_asked: bool) -> Iterator[str]:
    """What the tables of each part tell, and which facts its rules ask for that stay unknown. Nothing where there are
    neither tables nor rules that need any. `shop_asked` says that the shops' own orders are asked too.
    """
    parts = [("every store", policies.default, policies.rules.default)]
    parts += [(f"store {name}", policy, policies.rules.for_store(name)) for name, policy in policies.stores.items()]
    for place, (whose, policy, rules) in enumerate(parts):
        asked = (policy.facts, rules, policy.labels)
        words = [*_table_words(policy.facts, tables), *_missing(*asked, tables, shop_asked=shop_asked)]
        if words and (place == 0 or asked != (policies.default.facts, policies.rules.default, policies.default.labels)):
            yield f"Facts that REVER does not tell, for {whose}:"
            yield from (f"  {each}" for each in words)


def _table_words(named: FactTables, tables: Tables) -> Iterator[str]:
    if products := tables.products.get(named.products):
        yield f"{named.products}: {table_words(products)}."
    if orders := tables.orders.get(named.orders):
        yield f"{named.orders}: {table_words(orders)}."


def _missing(
    named: FactTables, rules: Sequence[MerchantRule], labels: LabelPolicy, tables: Tables, *, shop_asked: bool
) -> Iterator[str]:
    """What rules and limits ask for that no source tells. REVER itself tells the shopper's earlier returns."""
    products, orders = tables.products.get(named.products), tables.orders.get(named.orders)
    told = {EARLIER, *(products.told if products else ()), *(orders.told if orders else ())}
    told |= {WHOLE_ORDER} if "items" in told else set()
    for fact, names in needed(rules).items():
        if fact in told or (shop_asked and fact in SHOP_TELLS):
            continue
        hint = ", unless the shop's own orders are asked (REVER_SHOP_URL)" if fact in SHOP_TELLS else ""
        asking = f"rule {names[0]!r} asks" if len(names) == 1 else f"rules {', '.join(map(repr, names))} ask"
        yield f"No table tells {_COLUMNS.get(fact, fact)}, for which {asking}: it stays unknown{hint}."
    for fact, asking in _limits(labels):
        if fact not in told:
            yield f"No table tells {fact}, for which {asking} of `labels` asks: it stays unknown."


def _limits(labels: LabelPolicy) -> Iterator[tuple[str, str]]:
    """What the limits of carriers and parcels ask for of each product, and which of them does."""
    weight = [name for name, limits in labels.carriers.items() if limits.max_weight is not None]
    size = [name for name, limits in labels.carriers.items() if limits.max_size is not None]
    weight += ["parcels"] if labels.parcels.max_weight is not None else []
    yield from ((fact, names[0]) for fact, names in (("weight", weight), ("size", size)) if names)


def _list(told: frozenset[str]) -> str:
    return ", ".join(sorted(_COLUMNS.get(fact, fact) for fact in told)) or "nothing but their names"


def read_products(path: Path) -> ProductTable:
    """The table of products. Raises `FactTableError`."""
    return _kept(_products, path)


def read_orders(path: Path) -> OrderTable:
    """The table of orders. Raises `FactTableError`."""
    return _kept(_orders, path)


def read_facts(path: Path) -> ProductTable | OrderTable:
    """A table of products or of orders, whichever its first row says it is. Raises `FactTableError`."""
    try:
        names = {name.strip().casefold() for name in next(open_table(path).rows(), Row(0, ())).cells}
    except InputFileError as error:
        raise FactTableError((str(error),)) from error
    if SKU in names:
        return read_products(path)
    if {ORDER_ID, ORDER_NAME} & names:
        return read_orders(path)
    words = f"its first row names neither {SKU}, as a table of products does, nor {ORDER_ID} or {ORDER_NAME}, as one of"
    raise FactTableError((f"{path}: {words} orders does.",))


def table_words(table: ProductTable | OrderTable) -> str:
    """How many rows a table has, and which columns it tells facts by."""
    if isinstance(table, ProductTable):
        return f"{counted(len(table.products), 'product')} with {_list(table.told)}"
    return f"{counted(table.rows, 'row')} of orders with {_list(table.told)}"


def _kept(read: Callable[[Path, int, int], TableT], path: Path) -> TableT:
    """The table as it was read last, where the file has not changed since."""
    try:
        found = path.stat()
    except OSError as error:
        raise FactTableError((f"{path}: cannot be read ({error.strerror or type(error).__name__}).",)) from error
    return read(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=16)
def _products(path: Path, changed: int, size: int) -> ProductTable:  # noqa: ARG001 - a changed file is another one
    reader = TableReader(path, PRODUCT_COLUMNS, (SKU,))
    found: dict[str, ProductFacts] = {}
    for row in reader.rows():
        if sku := row.id(SKU):
            reader.add(found, sku, row, ProductFacts(row.source, **row.facts()), f"SKU {sku}")
        elif not row.wrong:
            row.refuse(SKU, "is empty", "the product's SKU")
    reader.end()
    return ProductTable(path, found, reader.told)


@lru_cache(maxsize=16)
def _orders(path: Path, changed: int, size: int) -> OrderTable:  # noqa: ARG001 - a changed file is another one
    reader = TableReader(path, ORDER_COLUMNS, (ORDER_ID, ORDER_NAME), (STORE,))
    by_id: dict[str, dict[str, OrderFacts]] = {}
    by_name: dict[str, dict[str, OrderFacts]] = {}
    names_of: dict[tuple[str, str], tuple[str, str]] = {}
    ids_of: dict[tuple[str, str], tuple[str, str]] = {}
    rows = 0
    for row in reader.rows():
        rows += 1
        order_id, name, store = row.id(ORDER_ID), row.id(ORDER_NAME), row.id(STORE)
        bare = bare_order(name)
        if STORE in reader.places and not store:
            row.refuse(STORE, "is empty", "the store's id at REVER")
        if not order_id and not bare and not row.wrong:
            row.refuse(ORDER_ID, "is empty, and so is order_name", "the order's id at the shop, or its name")
        facts = OrderFacts(row.source, **row.facts())
        if order_id:
            reader.add(by_id.setdefault(store, {}), order_id, row, facts, f"order {order_id}")
        if bare:
            reader.add(by_name.setdefault(store, {}), bare, row, facts, f"order {name}")
        if order_id and bare:
            for column, seen, key, other in (
                (ORDER_NAME, names_of, order_id, bare),
                (ORDER_ID, ids_of, bare, order_id),
            ):
                first, said = seen.setdefault((store, key), (row.source, other))
                if said != other:
                    row.refuse(column, f"is another than that of order {key} in {first}", "one id and one name of each")
    reader.end()
    return OrderTable(path, by_id, by_name, reader.told, rows)
