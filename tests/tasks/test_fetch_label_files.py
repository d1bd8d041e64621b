"""From which address a label's file comes: the one that the return shows, else one that REVER is asked for."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from rever_api.errors import NotFound
from rever_api.label_file import FileKind, LabelFile, LabelFileError, Trouble
from tasks.fetch_label_files import fetched_file
from tasks.policy.label_files import KnownFile, WantedFile

FILE = LabelFile(b"%PDF-1.4 %%EOF", FileKind.PDF)


@dataclass
class Storage:
    """What each address leads to; REVER gives `asked1`, `asked2` and so on, until it gives none."""

    files: dict[str, LabelFile | Trouble]
    given: int = 9
    calls: list[str] = field(default_factory=list)

    async def get_presigned_label_url(self, _process_id: str) -> str:
        self.calls.append("REVER")
        many = self.calls.count("REVER")
        if many > self.given:
            raise NotFound("there is none")
        return f"asked{many}"

    async def fetch(self, url: SecretStr) -> LabelFile:
        self.calls.append(url.get_secret_value())
        found = self.files[url.get_secret_value()]
        if isinstance(found, Trouble):
            raise LabelFileError(found, found.value)
        return found


def fetched(storage: Any, url: str = "", *, youngest: bool = True, known: tuple[KnownFile, ...] = ()) -> LabelFile:
    wanted = WantedFile("retp_1", "acme", "#1", 1, SecretStr(url), youngest)
    return asyncio.run(fetched_file(storage, storage, wanted, known))


@pytest.mark.parametrize("trouble", [it for it in Trouble if it not in {Trouble.ABSENT, Trouble.EARLIER}])
def test_where_the_address_that_is_shown_leads_to_no_file_rever_is_asked_once(trouble: Trouble) -> None:
    storage = Storage({"shown": trouble, "asked1": FILE})
    assert fetched(storage, "shown") == FILE
    assert storage.calls == ["shown", "REVER", "asked1"]
    both = Storage({"shown": trouble, "asked1": Trouble.EXPIRED})
    with pytest.raises(LabelFileError) as caught:
        fetched(both, "shown")
    assert (caught.value.trouble, both.calls) == (Trouble.EXPIRED, ["shown", "REVER", "asked1"])


def test_of_an_older_label_rever_is_asked_for_no_address_since_it_would_give_that_of_the_youngest() -> None:
    storage = Storage({"shown": Trouble.EXPIRED})
    with pytest.raises(LabelFileError):
        fetched(storage, "shown", youngest=False)
    assert storage.calls == ["shown"]


@pytest.mark.parametrize(("trouble", "calls"), [(Trouble.EXPIRED, 2), (Trouble.KIND, 1), (Trouble.TOO_SLOW, 1)])
def test_an_address_of_rever_s_is_asked_for_anew_only_where_it_has_run_out(trouble: Trouble, calls: int) -> None:
    storage = Storage({"asked1": trouble, "asked2": trouble})
    with pytest.raises(LabelFileError) as caught:
        fetched(storage)
    assert (caught.value.trouble, storage.calls.count("REVER")) == (trouble, calls)
    if trouble is Trouble.EXPIRED:
        assert fetched(Storage({"asked1": trouble, "asked2": FILE})) == FILE


def test_the_file_of_an_earlier_label_and_none_are_said_to_be() -> None:
    earlier = KnownFile("retp_1", 2, "acme", digest=FILE.digest, kind="pdf")
    for storage, trouble in ((Storage({"asked1": FILE}), Trouble.EARLIER), (Storage({}, given=0), Trouble.ABSENT)):
        with pytest.raises(LabelFileError) as caught:
            fetched(storage, known=(earlier,))
        assert caught.value.trouble is trouble
