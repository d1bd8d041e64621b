"""The type of block that holds a REVER account's credentials, so that a person can fill one in Prefect's UI."""

from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound

from deployments.bootstrap.change import Change, put
from tasks.in_prefect.credentials import ReverCredentials


async def blocks(client: PrefectClient, *, check: bool) -> list[Change]:
    """Register the type and the schema of its fields. Makes no block: which accounts there are, people say."""

    async def register() -> None:
        await ReverCredentials.aregister_type_and_schema(client=client)

    slug = ReverCredentials.get_block_type_slug()
    there = await _there(client, slug)
    differs = [] if there and await _has_schema(client) else ["the fields of this version"]
    return [await put(f"block type {slug}", check=check, there=there, differs=differs, make=register, mend=register)]


async def _there(client: PrefectClient, slug: str) -> bool:
    try:
        await client.read_block_type_by_slug(slug)
    except ObjectNotFound:
        return False
    return True


async def _has_schema(client: PrefectClient) -> bool:
    try:
        await client.read_block_schema_by_checksum(ReverCredentials._calculate_schema_checksum())
    except ObjectNotFound:
        return False
    return True
