"""The Prefect block that holds one REVER account's credentials, for a deployment that names its own.

A flow's parameters name the block only. What is empty in it is the environment's.

**Who can read what is in it.** Prefect keeps a block's secrets encrypted in its database (the key beside it, in
`PREFECT_HOME`), and its UI shows asterisks. Its API gives them in clear to whoever asks with `include_secrets`: that is
how workers get them, and open-source Prefect has no users. So whoever has the password of Prefect's API, or can reach a
server that asks for none, has REVER's key; as has whoever may start runs, since these are code on a worker. What only
workers may know belongs into their environment.
"""

from typing import Any

from prefect.blocks.core import Block
from prefect.blocks.system import Secret
from pydantic import Field, SecretStr, ValidationError

from tasks.desk import DeskError

TYPE = "REVER credentials"


def _secret(title: str, description: str) -> Any:
    """A secret that may be left empty. Without a stated default, which Prefect's form would fill in as asterisks."""
    return Field(default_factory=lambda: SecretStr(""), title=title, description=description)


class ReverCredentials(Block):
    """A REVER account: where it is, its key, its stores, who pays there, and the ledger that belongs to it."""

    _block_type_name = TYPE
    _block_type_slug = "rever-credentials"
    _description = (
        "One REVER account for the returns desk. A field that is left empty is taken from the worker's environment "
        "(`REVER_...`). Every worker that serves the account must name the same ledger. Whoever may use Prefect's API "
        "can read the key in clear: leave it to the workers' environment where that is not everybody's to know."
    )

    base_url: str = Field("", title="Address", description="REVER's address, such as https://api.byrever.com.")
    api_key: SecretStr = _secret(
        "API key",
        "REVER's key, sent as `x-rever-api-key`. Kept encrypted; whoever may use Prefect's API can read it.",
    )
    stores: str = Field("", title="Stores", description="E-commerce ids, comma-separated. Either these or a group.")
    group: str = Field("", title="Group", description="A REVER group: its stores are asked from REVER at each start.")
    account: str = Field(
        "",
        title="Account",
        description="The name the ledger is bound to at its first use. State one where two accounts share an address.",
    )
    refunds_by: str = Field(
        "", title="Refunds by", description="Who pays: `us`, `rever`, or per store: `acme=us,nordic=rever`."
    )
    ledger_url: SecretStr = _secret(
        "Ledger", "`sqlite:////absolute/path` or `postgresql://user:password@host/database`. Kept encrypted."
    )

    def overrides(self) -> dict[str, Any]:
        """The settings that this block states, by their field's name; stores put a group aside, and a group stores."""
        said = {
            "base_url": self.base_url.strip(),
            "api_key": self.api_key.get_secret_value().strip(),
            "stores": self.stores.strip(),
            "group": self.group.strip(),
            "account": self.account.strip(),
            "payers": self.refunds_by.strip(),
            "ledger_url": self.ledger_url.get_secret_value().strip(),
        }
        stated: dict[str, Any] = {name: value for name, value in said.items() if value}
        if "stores" in stated:
            stated.setdefault("group", "")
        elif "group" in stated:
            stated["stores"] = ()
        for name in ("api_key", "ledger_url"):
            if name in stated:
                stated[name] = SecretStr(stated[name])
        return stated


async def stated_by(name: str) -> dict[str, Any]:
    """What the credentials block of this name states (`ReverCredentials.overrides`); nothing where no name is given.

    Raises `DeskError` where there is no such block, or it cannot be read.
    """
    if not name:
        return {}
    try:
        block: ReverCredentials = await ReverCredentials.aload(name)
    except ValidationError:
        raise DeskError(
            f"the credentials block {name!r} does not fit this version: open it in Prefect's UI and save it again"
        ) from None
    except ValueError:
        raise DeskError(
            f"there is no credentials block {name!r}: make it in Prefect's UI, under Blocks, of type {TYPE}, or leave "
            "`credentials` empty, and the environment counts"
        ) from None
    return block.overrides()


async def storage_options(name: str) -> dict[str, Any]:
    """What a `Secret` block of this name says to fsspec of a storage, as JSON; nothing where no name is given.

    Raises `DeskError` where there is no such block, or it holds no JSON object.
    """
    if not name:
        return {}
    try:
        block: Secret[Any] = await Secret.aload(name)
    except ValueError:
        raise DeskError(f"there is no Secret block {name!r}: make it in Prefect's UI, under Blocks") from None
    value = block.get()
    if not isinstance(value, dict):
        right = '{"username": "...", "password": "..."}'
        raise DeskError(f"the Secret block {name!r} must hold a JSON object, such as {right}")
    return value
