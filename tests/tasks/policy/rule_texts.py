"""Rules as a policy file has them, read; and verdicts as short words, for tests that say what a rule does."""

from tasks.policy.actions import name_of
from tasks.policy.merchant_rules import MerchantRule, read_rules
from tasks.policy.policy_text import read_yaml
from tasks.policy.return_facts import ReturnFacts
from tasks.policy.verdict import Decided, Outcomes, Verdict, judge


def rules_of(text: str) -> tuple[MerchantRule, ...]:
    """The rules of a text with `rules` and perhaps `lists`; asserts that nothing is wrong with it."""
    read = read_yaml(text)
    found = read_rules(read.values["rules"], read.values.get("lists", {}), (), read.line)
    assert (*read.problems, *found.problems) == ()
    return found.rules


def problems_of(text: str) -> list[str]:
    """What is wrong with the rules of a text."""
    read = read_yaml(text)
    found = read_rules(read.values.get("rules"), read.values.get("lists", {}), (), read.line)
    return [problem.words for problem in (*read.problems, *found.problems)]


def said(text: str, facts: ReturnFacts) -> dict[str, str]:
    """What the rules say: `line kind` or `return kind` -> the action's name and its rule, or `open`."""
    return in_short(judge(rules_of(text), facts))


def in_short(verdict: Verdict) -> dict[str, str]:
    """A verdict in short words."""
    short = _outcomes("return", verdict.whole)
    for line_id, outcomes in verdict.lines.items():
        short |= _outcomes(line_id, outcomes)
    return short


def _outcomes(what: str, outcomes: Outcomes) -> dict[str, str]:
    return {
        f"{what} {kind}": f"{name_of(it.action)} by {it.rule}" if isinstance(it, Decided) else "open"
        for kind, it in outcomes.items()
    }
