"""The order in which a server is set up: what a thing needs comes before it."""

from pathlib import Path

from prefect.client.orchestration import PrefectClient
from pydantic import SecretStr

from deployments.bootstrap.automations import automations
from deployments.bootstrap.blocks import blocks
from deployments.bootstrap.change import Change
from deployments.bootstrap.deployments import deployments
from deployments.bootstrap.limits import limits
from deployments.bootstrap.notices import notices
from deployments.bootstrap.pools import pools
from deployments.bootstrap.prefect_file import PREFECT_FILE, read_entries
from deployments.bootstrap.variables import variables
from tasks.settings import load_notices_url


async def bootstrap(
    client: PrefectClient, *, check: bool = False, file: Path = PREFECT_FILE, notices_url: SecretStr | None = None
) -> list[Change]:
    """Set the server up, or with `check` only say what would be done. Removes nothing; a second time changes nothing.

    Notices go to `notices_url`, by default `REVER_NOTICES_URL`. Raises `BootstrapError` for what is on the server,
    `PrefectFileError` for the file of the deployments, `SettingsError`.
    """
    url = load_notices_url() if notices_url is None else notices_url
    changes, values = await variables(client, check=check)
    entries = read_entries(file, values)
    changes += await pools(client, check=check)
    changes += await limits(client, check=check)
    changes += await blocks(client, check=check)
    sending = await notices(client, url, check=check)
    changes += sending.changes
    changes += await automations(client, sending, check=check)
    changes += await deployments(client, entries, check=check)
    return changes
