"""The section `labels` of the policy file: what would do nothing is refused with a sentence, and all of it is said."""

from pathlib import Path

import pytest

from tasks.policy.policy_file import PolicyFile, PolicyFileError, read_policy
from tasks.policy.policy_in_words import policies_in_words


def policy(path: Path, text: str) -> PolicyFile:
    path.write_text(f"default:\n  {text}\n", encoding="utf-8")
    return read_policy(path)


def limits(text: str) -> str:
    return f"labels: {{carriers: {{X/DHL: {{{text}}}}}}}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (limits("max_weight: 20"), "max_weight is 20; right would be a weight with its unit"),
        (limits("max_weight: 0 kg"), "a weight with its unit"),
        (limits("max_weight: -1 kg"), "a weight with its unit"),
        (limits("max_weight: 20 lb"), "a weight with its unit"),
        (limits("max_size: 30x20 cm"), "three sides with their unit"),
        (limits('cost: "5.20"'), "cost and currency together, or neither"),
        (limits('cost: "-1", currency: EUR'), "an amount of 0 or more"),
        (limits("not_in: [Spain]"), 'not_in[1] is "Spain"; right would be a country\'s two capital letters'),
        (limits("not_in: [ES, UK]"), 'not_in[2] is "UK"; right would be GB'),
        (limits("not_in: [EL]"), 'not_in[1] is "EL"; right would be GR'),
        (limits("not_in: [XX]"), "a country's two capital letters, such as ES"),
        ('labels: {carriers: {"X/DHL ": {}}}', "PROVIDER/CARRIER, such as SENDCLOUD/DHL, without blanks around it"),
        ('label_carriers: [" X/DHL"]', "without blanks around it"),
        ("labels: {parcels: {max_units: 0}}", "greater than or equal to 1"),
        ("labels: {parcels: {max_weight: 15}}", "a weight with its unit"),
        ('labels: {parcels: {alone: [""]}}', "a SKU, without blanks around it"),
        ('labels: {parcels: {alone: ["SOFA-1 "]}}', "a SKU, without blanks around it"),
        ("labels: {slots: [RANGE_20_TO_8]}", "one of RANGE_8_TO_12, RANGE_12_TO_16, RANGE_16_TO_20"),
        ("labels: {lead_days: -1}", "greater than or equal to 0"),
    ],
)
def test_what_would_do_nothing_or_something_else_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        policy(tmp_path / "policy.yaml", text)
    assert says in str(caught.value)


def said(path: Path, text: str) -> str:
    return "\n".join(policies_in_words(policy(path, text)))


def test_a_label_that_is_replaced_and_a_carrier_with_a_size_alone_are_said(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    assert "X/DHL: parcels of 120x60x60 cm at most." in said(path, limits("max_size: 120x60x60 cm"))
    both = limits("max_weight: 20 kg, max_size: 120x60x60 cm")
    assert "X/DHL: parcels of 20 kg and of 120x60x60 cm at most." in said(path, both)
    assert "No label is replaced by the policy." in said(path, "label_carriers: []")
    unused = said(path, "labels: {reissue: {unused_days: 14, at_most: 2}}")
    assert "A label that nobody has used for 14 days is replaced, 2 times a return at most." in unused
    assert "for 3 days is replaced, once a return at most" in said(
        path, "labels: {reissue: {unused_days: 14, expire_days: 3}}"
    )
