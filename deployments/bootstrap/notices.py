"""Where notices go: one Prefect notification block, made from `REVER_NOTICES_URL`.

Only blocks that come with Prefect will do: it is the server that sends a notice, and it knows no others.
"""

import logging
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import BlockDocument
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from deployments.bootstrap.change import Change, put
from deployments.bootstrap.errors import BootstrapError

BLOCK = "rever-notices"
VARIABLE = "REVER_NOTICES_URL"
_KINDS: tuple[type[NotificationBlock], ...] = (SlackWebhook, CustomWebhookNotificationBlock)


@dataclass(frozen=True, slots=True)
class Notices:
    """What came of it: the account, and the block that sends, if any (None: it would only now be made)."""

    changes: tuple[Change, ...]
    wanted: bool
    block_id: UUID | None = None


async def notices(client: PrefectClient, url: SecretStr, *, check: bool) -> Notices:
    """Make the block say what the environment says; without an address take the block a person made, or none."""
    if not url.get_secret_value():
        found = [document for kind in _KINDS if (document := await _read(client, kind))]
        return Notices((), wanted=bool(found), block_id=found[0].id if found else None)
    block = notices_block(url)
    document = await _read(client, type(block))

    async def save() -> None:
        await block.asave(BLOCK, overwrite=True, client=client)

    changed = await put(
        f"block {type(block).get_block_type_slug()}/{BLOCK}",
        check=check,
        there=document is not None,
        differs=["the address"] if document and _secrets(document.data) != _secrets(_revealed(block)) else [],
        make=save,
        mend=save,
    )
    made = document if check or document else await _read(client, type(block))
    return Notices((changed,), wanted=True, block_id=made.id if made else None)


def notices_block(url: SecretStr) -> NotificationBlock:
    """The block for an address: what Apprise knows goes by it, any other http(s) address gets JSON posted.

    Prefect has no block for Apprise as such: its Slack block hands on whatever is not Slack's. Raises `BootstrapError`.
    """
    address = url.get_secret_value().strip()
    if _apprise_knows(address):
        return SlackWebhook(url=SecretStr(address))
    if not _is_http(address):
        raise BootstrapError(
            f"{VARIABLE} is no address that notices can be sent to: give an http(s) address that takes JSON, "
            "or one of Apprise's, like mailto://user:password@example.com or slack://..."
        )
    return CustomWebhookNotificationBlock.model_validate(
        {
            "name": "rever-returns",
            "url": "{{url}}",  # the address is a secret: who may post there is who knows it
            "secrets": {"url": address},
            "json_data": {"text": "{{subject}}\n{{body}}", "subject": "{{subject}}", "body": "{{body}}"},
        }
    )


def _apprise_knows(address: str) -> bool:
    from apprise import Apprise

    log = logging.getLogger("apprise")
    log.disabled, before = True, log.disabled  # it would log what it does not know, with parts of it
    try:
        return Apprise.instantiate(address, suppress_exceptions=True) is not None
    finally:
        log.disabled = before


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


async def _read(client: PrefectClient, kind: type[NotificationBlock]) -> BlockDocument | None:
    try:
        return await client.read_block_document_by_name(BLOCK, kind.get_block_type_slug(), include_secrets=True)
    except ObjectNotFound:
        return None


def _revealed(block: NotificationBlock) -> dict[str, object]:
    return block.model_dump(mode="json", context={"include_secrets": True})


def _secrets(data: dict[str, object]) -> tuple[object, object]:
    """Of a block's content what we decide; the rest (a template, a time-out) is a person's once it is made."""
    return data.get("url"), data.get("secrets")
