"""Settings, endpoint table and policy file, and which of the desk's files others on this machine may read or change."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from deployments.doctor.examination import Examination, Line, attention, broken, in_thread, not_used, ok
from deployments.doctor.prefect import settings_of
from rever_api import Endpoints, EndpointsError
from tasks.database.engines import Where
from tasks.desk import DeskError, UnfitPolicyError, check_policies, fitting_candidate
from tasks.files.fact_tables import read_tables, store_facts
from tasks.policy.policy_file import PolicyFile, PolicyFileError, read_policy
from tasks.reporting.report import stores_in_words
from tasks.settings import SettingsError, load_settings
from tasks.settings.load import ENV_FILE

FILE_MODES = "file modes"
SHOWN = 5
MOST = 10_000
"""Files below `.up` that are looked at."""

UP = Path(".up")

_READ, _WRITE = 0o077, 0o022
_EXPORTED = ("audit.csv", "audit.jsonl")


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
    """The policy file and its tables of facts can be read, and it fits the stores: a run would begin with it."""
    file = examination.settings.policy
    try:
        found = read_policy(file)
        tables = await in_thread(lambda: read_tables(found, file))
        store_facts(found, tables, examination.stores)
    except PolicyFileError as error:
        return [
            broken("policy file", problem, "correct it; docs/policy.md has all rules") for problem in error.problems
        ]
    if file is None:
        return ok("policy file", "none: the default rules, without caps")
    try:
        if examination.stores:
            check_policies(found, examination.stores, examination.settings)
    except UnfitPolicyError as error:
        return broken("policy file", str(error), "correct it: no run begins until then")
    read = [*(it.path for it in tables.products.values()), *(it.path for it in tables.orders.values())]
    facts = ", ".join(map(str, read))
    own = f"{file}, with rules of its own for {stores_in_words(tuple(found.stores))}"
    line = ok("policy file", f"{own}{f'; facts from {facts}' if facts else ''}")
    shadow = await in_thread(lambda: _shadow(found, examination))
    return [line, shadow] if shadow else line


def _shadow(policies: PolicyFile, examination: Examination) -> Line | None:
    """The candidate that decides in shadow can be read and fits the stores; None where there is none."""
    stores = examination.stores or tuple(policies.stores)
    candidate = fitting_candidate(policies, examination.settings, tuple(stores))
    if candidate is None:
        return None
    if candidate.problem:
        mend = "correct it, or take the line `shadow` out of the policy file; payments go on without it"
        return attention("shadow policy", candidate.problem, mend)
    return ok("shadow policy", f"{candidate.file} is asked beside it, and nothing it says is done")


async def modes(examination: Examination) -> Line:
    """The key, ledger, inbox, the labels' files, what `up` keeps, and Prefect's database are their owner's alone."""
    if os.name != "posix":
        return not_used(FILE_MODES, "this system has no modes")
    settings = examination.settings
    databases = [
        Where.of(settings.ledger_url.get_secret_value()).path,
        Where.of(settings.inbox_url.get_secret_value(), what="inbox", variable="REVER_INBOX_URL").path,
    ]
    rules = [path for path in (settings.policy, settings.endpoints) if path is not None]
    rules += _tables(settings.policy)
    from prefect.settings import get_current_settings

    home = get_current_settings().home
    private = [*kept(databases, home), *([settings.labels] if settings.labels is not None else [])]
    found = await in_thread(lambda: open_to_others(private, rules))
    return modes_line(found)


def _tables(file: Path | None) -> list[Path]:
    """The tables of facts that a policy file names: rules decide about money by them."""
    try:
        found = read_policy(file)
    except PolicyFileError:
        return []
    named = [policy.facts for policy in (found.default, *found.stores.values())]
    names = dict.fromkeys(name for each in named for name in (each.products, each.orders) if name)
    return [file.parent / name for name in names] if file else []


def env_warning(file: Path = ENV_FILE) -> str:
    """That others may read the settings file, the key in it, in one sentence; "" where they may not."""
    if os.name == "posix" and file.is_file() and (mode := _mode(file)) & _READ:
        return f"{file} has the mode {mode:04o}: others on this machine may read the key in it; chmod 600 {file}"
    return ""


def open_to_others(private: Iterable[Path], rules: Iterable[Path]) -> list[tuple[Path, int]]:
    """Which of these others may read or change, and its mode; of rules, which hold no secret, what they may change.

    Files that are gone by now count as not there.
    """
    found = [(path, mode) for path in private if (mode := _mode(path)) & _READ]
    return found + [(path, mode) for path in rules if (mode := _mode(path)) & _WRITE]


def kept(databases: Iterable[Path | None], prefect: Path) -> list[Path]:
    """What there is of the settings file, these databases and what goes with them, exports, `.up` and Prefect's home.

    Of the last only its database, where it is a file (runs, blocks and the key to their secrets), and its profiles.
    """
    found: dict[Path, None] = {}
    folders = {Path()}
    for path in databases:
        if path is not None:
            folders.add(path.parent)
            # Its logs, what a restore has kept of the former one, and halves of backups.
            found |= dict.fromkeys(sorted(path.parent.glob(f"{_literal(path.name)}*")))
    for folder in sorted(folders):
        for name in _EXPORTED:
            for audit in folder.glob(f"*/{name}"):
                found |= dict.fromkeys([audit.parent, *sorted(audit.parent.glob(f"*{audit.suffix}"))])
    if UP.is_dir():
        found |= dict.fromkeys([UP, *_below(UP)])
    for pattern in ("prefect.db*", "profiles.toml"):
        found |= dict.fromkeys(sorted(prefect.glob(pattern)))
    env = [ENV_FILE] if ENV_FILE.exists() else []
    return [*env, *found]


def modes_line(found: list[tuple[Path, int]]) -> Line:
    """One line from what is open to others. Pure."""
    if not found:
        return ok(FILE_MODES, "key, ledger, inbox and other kept files are readable by their owner only")
    shown = ", ".join(f"{path} {mode:04o}" for path, mode in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    to_do = f"chmod -R go= {' '.join(str(path) for path, _ in found[:SHOWN])}"
    if any(mode & stat.S_IWOTH for _, mode in found):
        return broken(FILE_MODES, f"anybody on this machine may change: {shown}{more}", to_do)
    return attention(FILE_MODES, f"others on this machine may read, or change: {shown}{more}", to_do)


def _below(folder: Path) -> Iterator[Path]:
    many = 0
    for at, folders, files in os.walk(folder):
        for name in sorted((*folders, *files)):
            path = Path(at) / name
            many += 1
            if many > MOST:
                return
            if not path.is_symlink():
                yield path


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def _literal(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)
