"""The desk's settings: from the environment or `.env`, checked whole before anything starts.

`load_settings` is the one way in; it returns a `Settings`, or raises a `SettingsError` whose sentences
name the variables.
"""

from rever_api.config import is_loopback
from tasks.settings.addresses import account_of, without_password
from tasks.settings.load import (
    SettingsError,
    load_notices_url,
    load_settings,
    masked_settings,
    read_variable,
    settings_table,
)
from tasks.settings.model import Settings

__all__ = [
    "Settings",
    "SettingsError",
    "account_of",
    "is_loopback",
    "load_notices_url",
    "load_settings",
    "masked_settings",
    "read_variable",
    "settings_table",
    "without_password",
]
