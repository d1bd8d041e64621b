"""What `rever-returns policy check` and `facts check` print."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deployments.console.errors import UsageError, print_out
from tasks.files.fact_tables import (
    ProductTable,
    facts_in_words,
    read_facts,
    read_store_facts,
    read_tables,
    store_facts,
    table_words,
)
from tasks.policy.policy_file import PolicyFile, PolicyFileError, read_policy
from tasks.policy.policy_in_words import policies_in_words
from tasks.policy.policy_review import review
from tasks.policy.ruling import idle_where_rever_pays, rules_of_money
from tasks.policy.shadow import Candidate, read_candidate
from tasks.policy.store import RefundsBy
from tasks.settings.load import read_variable, variable_of
from tasks.settings.model import ANY_STORE, names, payers


def check_policy(file: Path | None) -> None:
    """Print what the policy file does, store by store, and what of its rules is probably not meant.

    The tables of facts that it names are read too. Raises `PolicyFileError` with every problem of the file, a store
    that is not among REVER_STORES included where that is set, or else with every problem of its tables; and, after
    printing what they mean, where its rules would do nothing since REVER pays (REVER_REFUNDS_BY), or the candidate that
    decides in shadow is wrong.
    """
    stated = read_variable(variable_of("policy"))
    path = file or (Path(stated) if stated else None)
    stores = names(read_variable(variable_of("stores")))
    policies = read_policy(path, ours=stores)
    tables = read_tables(policies, path)
    store_facts(policies, tables, stores)
    head = f"{path} is right." if path else "No policy file is set (REVER_POLICY): the default rules hold."
    facts = list(facts_in_words(policies, tables, shop_asked=bool(read_variable(variable_of("shop_url")))))
    # A day begins last where clocks are twelve hours behind: what is over there is over at every store.
    warnings = [*review(policies.rules, (datetime.now(UTC) - timedelta(hours=12)).date())]
    warnings += _idle_at_others(policies, stores)
    lines = [head, "", *policies_in_words(policies), *(["", *facts] if facts else [])]
    lines += ["", "Probably not meant:", *(f"  {words}." for words in warnings)] if warnings else []
    candidate = read_candidate(policies, ours=stores)
    wrong = _wrong_with(candidate, stores) if candidate else ()
    if candidate and not wrong:
        lines += ["", f"{candidate.name} decides beside it in shadow, and is right; nothing it says is done."]
    print_out("\n".join(lines))
    if wrong := (*_idle(policies, stores), *wrong):
        raise PolicyFileError(wrong)


def check_facts(file: Path) -> str:
    """Say what a table of facts tells. Raises `PolicyFileError` with what is wrong with it, by row and column."""
    table = read_facts(file)
    kind = "products" if isinstance(table, ProductTable) else "orders"
    use = f"Name it in the policy file: `facts: {{{kind}: {file.name}}}`, and put it beside that."
    return f"{file} is right: {table_words(table)}.\n{use}"


def _idle(policies: PolicyFile, stores: Sequence[str]) -> list[str]:
    """A sentence for each store at which REVER pays and rules about money would do nothing. Raises `UsageError`."""
    paying = _payers()
    named = stores or sorted({*policies.stores, *paying} - {ANY_STORE})
    by_rever = [store for store in named if paying.get(store, paying.get(ANY_STORE)) is RefundsBy.REVER]
    found = (idle_where_rever_pays(policies.rules.for_store(store), store, "REVER_POLICY") for store in by_rever)
    return [f"{words}." for words in found if words]


def _idle_at_others(policies: PolicyFile, stores: Sequence[str]) -> list[str]:
    """A warning where REVER pays at all stores that nothing here names: which there are, REVER alone knows."""
    idle = rules_of_money(policies.rules.default)
    if stores or not idle or _payers().get(ANY_STORE) is not RefundsBy.REVER:
        return []
    words = "a run refuses the file there; name the stores (REVER_STORES), or put these rules below those that are paid"
    return [f"REVER pays at every store that is not named (REVER_REFUNDS_BY), and so {idle} would do nothing: {words}"]


def _payers() -> Mapping[str, RefundsBy]:
    """Who pays at which store, as the settings say. Raises `UsageError`."""
    variable = variable_of("payers")
    try:
        found: Mapping[str, RefundsBy] = payers(read_variable(variable))
    except ValueError as wrong:
        raise UsageError(f"{variable} {wrong}") from None
    return found


def _wrong_with(candidate: Candidate, stores: Sequence[str]) -> tuple[str, ...]:
    """What is wrong with the candidate or its tables."""
    if candidate.policies is None:
        return candidate.problems
    try:
        read_store_facts(candidate.policies, candidate.file, stores)
    except PolicyFileError as error:
        return error.problems
    return ()
