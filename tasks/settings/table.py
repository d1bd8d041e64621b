"""The settings as tables: for the documentation, and for a person who asks what is in force."""

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tasks.settings.addresses import without_password
from tasks.settings.load import variables
from tasks.settings.model import ANY_STORE, Settings

INTRO = """# Settings

Read from the environment, and below it from a `.env` file in the working folder. An empty variable counts as not set.
A `REVER_` variable that is not in this table is refused, so that a slip in a name is not passed over.
This page is generated: `make docs`.

| Variable | Default | What it is |
| --- | --- | --- |
"""


def settings_table() -> str:
    """The whole of `docs/settings.md`."""
    rows = [f"| `{name}` | {_default(field)} | {field.description} |\n" for name, field in _fields().items()]
    return INTRO + "".join(rows)


def masked_settings(settings: Settings) -> dict[str, str]:
    """Variable -> its value in force as it may be shown: the key and passwords are replaced."""
    shown = {name: _shown(getattr(settings, field)) for name, field in variables().items()}
    return shown | {"REVER_RATE": shown["REVER_RATE"] or "none"}


def _fields() -> dict[str, FieldInfo]:
    return {name: Settings.model_fields[field] for name, field in variables().items()}


def _default(field: FieldInfo) -> str:
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["default"])
    if field.default is PydanticUndefined:
        return "must be set"
    if field.default in (None, "", (), SecretStr("")):
        return "not set"
    text = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
    return f"`{text.lower() if isinstance(field.default, bool) else text}`"


def _masked(secret: str) -> str:
    """A database's URL without its password; of any other secret only that it is there."""
    if secret.startswith(("sqlite:", "postgresql:")):
        return without_password(secret)
    return "***" if secret else ""


def _shown(value: object) -> str:
    match value:
        case SecretStr():
            text = _masked(value.get_secret_value())
        case dict():
            text = ",".join(str(payer) if store == ANY_STORE else f"{store}={payer}" for store, payer in value.items())
        case tuple():
            text = ",".join("***" if isinstance(each, SecretStr) else str(each) for each in value)
        case None:
            text = ""
        case bool():
            text = str(value).lower()
        case float():
            text = f"{value:g}"
        case _:
            text = str(value)
    return text
