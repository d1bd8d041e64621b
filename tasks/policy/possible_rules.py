"""Rules as claims: that one matches, or that it does not stand in the way of those below it."""

from tasks.policy.conditions import AllOf, Check, Condition, Operator
from tasks.policy.merchant_rules import AppliesTo, IfUnknown, MerchantRule
from tasks.policy.possible import Claim
from tasks.policy.possible_values import Says


def in_force_and(rule: MerchantRule) -> Condition:
    """The rule's days and its condition as one condition."""
    asked = "started_on" if rule.applies_to is AppliesTo.NEW else "today"
    days = ((Operator.FROM, rule.begins), (Operator.UNTIL, rule.ends))
    checks = tuple(Check(asked, operator, day) for operator, day in days if day is not None)
    return AllOf((*checks, rule.when)) if checks else rule.when


def matching(rule: MerchantRule) -> Claim:
    """That the rule matches."""
    if rule.if_unknown is not IfUnknown.MATCHES:
        return Claim(in_force_and(rule), Says.YES)
    # It is in force too where the day of the beginning is known to be none, of which its days would be false.
    return Claim(rule.when if rule.applies_to is AppliesTo.NEW else in_force_and(rule), Says.NOT_NO)


def not_matching(rule: MerchantRule) -> Claim:
    """That the rule neither matches nor, being unknown, leaves its kinds open."""
    return Claim(in_force_and(rule), Says.NOT_YES if rule.if_unknown is IfUnknown.DOES_NOT_MATCH else Says.NO)
