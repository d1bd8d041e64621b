"""`rever-returns bootstrap` as it is called: what it says where it cannot even begin."""

from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.prefect_server import free_port
from tests.deployments.cli.conftest import Call


def test_the_command_says_it_in_one_sentence_and_ends_with_1(call: Call) -> None:
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        ended = call("bootstrap", "--wait", "0")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("rever-returns: no Prefect server at http://127.0.0.1:")
    assert len(ended.err.splitlines()) == 1
