"""The settings, the endpoint table and the policy file: what is read before anything is called."""

from deployments.doctor.examination import Examination
from deployments.doctor.line import Line, attention, broken, ok
from deployments.doctor.prefect_blocks import settings_of
from rever_api import Endpoints, EndpointsError
from tasks.desk import DeskError
from tasks.policy.policy_file import PolicyFileError, load_policy
from tasks.settings import SettingsError, load_settings


async def settings(examination: Examination) -> Line | list[Line]:
    """All settings are there and fit together, with a credentials block above them where one is asked for."""
    try:
        found = await settings_of(examination.credentials) if examination.credentials else load_settings()
    except DeskError as error:
        return broken("settings", str(error), "Prefect's UI, under Blocks; or leave --credentials out")
    except SettingsError as error:
        return [broken("settings", problem, "docs/settings.md has them all") for problem in error.problems]
    examination.found_settings, examination.stores = found, found.stores
    whose = f"stores {', '.join(found.stores)}" if found.stores else f"group {found.group}"
    return ok("settings", f"REVER at {found.base_url}, {whose}")


async def endpoints(examination: Examination) -> Line:
    """The endpoint table: the contract's, or as a file corrects it."""
    file = examination.settings.endpoints
    try:
        examination.found_endpoints = found = Endpoints.load(file)
    except EndpointsError as error:
        return broken("endpoints", str(error), "correct the file that REVER_ENDPOINTS names, or take it away")
    contract = Endpoints.load().by_operation
    corrected = [name for name, each in found.by_operation.items() if each != contract[name]]
    if file is not None:
        return ok("endpoints", f"{file} corrects {', '.join(corrected) or 'nothing'}")
    assumed = sum(each.confidence == "assumed" for each in contract.values())
    if examination.settings.loopback:
        return ok("endpoints", f"the contract's {len(contract)} operations")
    return attention(
        "endpoints",
        f"the contract's {len(contract)} operations, {assumed} of them assumed",
        "check them against REVER's own document: rever-returns doctor --openapi FILE",
    )


async def policy(examination: Examination) -> Line | list[Line]:
    """The policy file can be read, and names only stores that are ours."""
    file = examination.settings.policy
    try:
        found = load_policy(file)
    except PolicyFileError as error:
        return [
            broken("policy file", problem, "correct it; docs/policy.md has all rules") for problem in error.problems
        ]
    if file is None:
        return ok("policy file", "none: the default rules, without caps")
    strange = sorted(set(found.stores) - set(examination.stores)) if examination.stores else []
    if strange:
        return broken(
            "policy file",
            f"{file} has rules for {', '.join(map(repr, strange))}, and the stores are {', '.join(examination.stores)}",
            "correct the store's id: as it is, the store that was meant goes without its rules",
        )
    return ok("policy file", f"{file}, with rules of its own for {', '.join(found.stores) or 'no store'}")
