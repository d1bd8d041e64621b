"""What a Secret block says of a storage: a JSON object, or a sentence that never repeats what is in it."""

from typing import Any

import pytest
from prefect.blocks.system import Secret
from pydantic import SecretStr

from tasks.desk import DeskError
from tasks.in_prefect.credentials import storage_options


async def test_the_options_are_those_of_the_block_and_none_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def aload(name: str) -> Secret[Any]:
        return Secret(value={"password": "correct-horse"})

    monkeypatch.setattr(Secret, "aload", aload)
    assert await storage_options("warehouse") == {"password": "correct-horse"}
    assert await storage_options("") == {}


async def test_a_block_that_is_not_there_or_holds_no_object_is_said_without_what_it_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def plain(name: str) -> Secret[Any]:
        return Secret(value=SecretStr("correct-horse"))

    async def none(name: str) -> Secret[Any]:
        raise ValueError("no document")

    for aload, said in ((plain, "must hold a JSON object"), (none, "there is no Secret block 'warehouse'")):
        monkeypatch.setattr(Secret, "aload", aload)
        with pytest.raises(DeskError, match=said) as wrong:
            await storage_options("warehouse")
        assert "correct-horse" not in str(wrong.value)
