"""What `rever-returns policy check` prints."""

from pathlib import Path

from deployments.console.errors import UsageError, print_out
from tasks.policy.policy_file import not_carried_out, read_policy
from tasks.policy.policy_in_words import policies_in_words
from tasks.settings.load import read_variable, variable_of
from tasks.settings.model import names


def check_policy(file: Path | None) -> None:
    """Print what the policy file does, store by store. Only REVER_POLICY and REVER_STORES are read: no key is needed.

    Raises `PolicyFileError` with every problem, a store that is not among REVER_STORES included where that is set; and
    `UsageError`, after printing what they mean, where a rule does what no run carries out: none begins with it.
    """
    stated = read_variable(variable_of("policy"))
    path = file or (Path(stated) if stated else None)
    policies = read_policy(path, ours=names(read_variable(variable_of("stores"))))
    undone = not_carried_out(policies)
    but = ", but for what no run carries out" if undone else ""
    head = f"{path} is right{but}." if path else "No policy file is set (REVER_POLICY): the default rules hold."
    print_out("\n".join([head, "", *policies_in_words(policies)]))
    if undone:
        raise UsageError("\n".join(f"{path}: {problem}." for problem in undone))
