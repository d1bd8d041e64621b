"""The secret that an example, or the sandbox, signs with. Never taken from an argument: those are seen by all."""

import os
import sys

from dotenv import dotenv_values
from pydantic import SecretStr

from tasks.settings.load import ENV_FILE

VARIABLE = "REVER_WEBHOOK_SECRETS"


def signing_secret(variable: str = VARIABLE) -> SecretStr | None:
    """The (first) secret in this variable, of the environment or below it of `.env`; `-` reads it from stdin."""
    if variable == "-":
        text = sys.stdin.readline()
    else:
        written = dotenv_values(ENV_FILE) if ENV_FILE.is_file() else {}
        text = os.environ.get(variable) or written.get(variable) or ""
    first = text.partition(",")[0].strip()
    return SecretStr(first) if first else None
