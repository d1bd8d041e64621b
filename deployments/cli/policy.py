"""What `rever-returns policy check` prints."""

from pathlib import Path

from tasks.policy.policy_file import load_policy
from tasks.policy.policy_in_words import policies_in_words
from tasks.settings.load import read_variable, variable_of
from tasks.settings.model import names


def policy_text(file: Path | None) -> str:
    """What the policy file does, store by store. Only REVER_POLICY and REVER_STORES are read: no key is needed.

    Raises `PolicyFileError` with every problem, a store that is not among REVER_STORES included where that is set.
    """
    stated = read_variable(variable_of("policy"))
    path = file or (Path(stated) if stated else None)
    policies = load_policy(path, ours=names(read_variable(variable_of("stores"))))
    head = f"{path} is right." if path else "No policy file is set (REVER_POLICY): the default rules hold."
    return "\n".join([head, "", *policies_in_words(policies)])
