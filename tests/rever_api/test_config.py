"""What cannot work or would give the key away is refused with a sentence, in the configuration and in its endpoints."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from rever_api import ClientConfig, Endpoints, EndpointsError, WrongSetup
from rever_api.config import DEFAULT_BASE_URL, configured, is_loopback
from rever_api.models import SearchQuery
from rever_api.operations import Routes, get_return_process, search_return_processes
from tasks.settings.addresses import checked_base_url


@pytest.mark.parametrize(
    "url",
    ["https://api.byrever.com", "https://x.example/a/b/", "http://127.0.0.1:8", "http://localhost", "http://[::1]:8"],
)
def test_a_base_url_is_https_or_of_this_machine(url: str) -> None:
    assert ClientConfig(url, SecretStr("k")).base_url == url


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://api.byrever.com", "in clear text"),
        ("http://127.0.0.1.example.org", "in clear text"),
        ("http://localhost.example.org", "in clear text"),
        ("", "not an http or https address"),
        ("api.byrever.com", "not an http or https address"),
        ("ftp://api.byrever.com", "not an http or https address"),
        ("https://", "not an http or https address"),
        ("https://host:port", "not an http or https address"),
        ("https://[::1", "not an http or https address"),
        ("https://ada:secret@api.byrever.com", "no user"),
        ("https://api.byrever.com?key=secret", "query"),
    ],
)
def test_a_wrong_base_url_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(WrongSetup, match=sentence) as raised:
        ClientConfig(url, SecretStr("k"))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("key", ["", "  ", "secret\n", "sec ret", "sécret", "sec\x00ret"])
def test_a_key_that_is_no_header_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(WrongSetup, match="REVER_API_KEY") as raised:
        ClientConfig("https://x.example", SecretStr(key))
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize("wrong", [0, -1, float("nan")])
@pytest.mark.parametrize("name", ["timeout", "deadline", "rate", "max_in_flight", "read_attempts"])
def test_numbers_must_be_above_zero(name: str, wrong: Any) -> None:
    with pytest.raises(WrongSetup, match=name):
        ClientConfig("https://x.example", SecretStr("k"), **{name: wrong})


def test_the_deadline_is_the_timeout_unless_stated() -> None:
    assert ClientConfig("https://x.example", SecretStr("k"), timeout=7).attempt_deadline == 7
    assert ClientConfig("https://x.example", SecretStr("k"), timeout=7, deadline=9).attempt_deadline == 9


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:80/x", True),
        ("http://LOCALHOST", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:8080", True),
        ("https://api.byrever.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.0.0.1@example.com", False),
        ("http://example.com\\@127.0.0.1", False),
        ("http://[::1", False),
        ("http://a.localhost", False),
        ("http://localhost.", False),
        ("http://u@localhost", False),
        ("http://u:p@127.0.0.1", False),
        ("http://128.0.0.1", False),
        ("http://0.0.0.0", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, *, expected: bool) -> None:
    assert is_loopback(url) is expected


@pytest.mark.parametrize("url", ["http://a.localhost", "http://localhost.", "http://u@localhost"])
def test_who_pays_and_whether_plain_http_is_taken_go_by_one_rule(url: str) -> None:
    """The desk takes REVER to be a sandbox that does not pay where its client would send the key unencrypted."""
    with pytest.raises(WrongSetup):
        ClientConfig(url, SecretStr("k"))
    with pytest.raises(ValueError, match=r"must not carry a user|would send the API key"):
        checked_base_url(url)


# From arguments and the environment


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("REVER_")]:
        monkeypatch.delenv(name)
    return monkeypatch


def test_what_is_not_given_comes_from_the_environment(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "endpoints.toml"
    table.write_text('[listEcommerces]\npath = "/v2/shops"\n')
    told = {
        "API_KEY": " k ",
        "BASE_URL": "https://x.example",
        "GROUP": "ACME",
        "TIMEOUT": "7.5",
        "RATE": "3",
        "MAX_IN_FLIGHT": "2",
        "ENDPOINTS": str(table),
    }
    for name, value in told.items():
        environment.setenv(f"REVER_{name}", value)
    found = configured(None)
    assert (found.api_key.get_secret_value(), found.base_url, found.group) == ("k", "https://x.example", "ACME")
    assert (found.timeout, found.rate, found.max_in_flight) == (7.5, 3.0, 2)
    assert found.endpoints["listEcommerces"].path == "/v2/shops"
    given = configured(None, api_key="other", base_url="https://y.example", group="", timeout=1, max_retries=0)
    assert (given.api_key.get_secret_value(), given.base_url, given.group) == ("other", "https://y.example", "")
    assert (given.timeout, given.read_attempts) == (1, 1)


def test_an_environment_that_says_nothing_leads_to_rever_slowly(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REVER_GROUP", "")
    found = configured(None, api_key="k")
    assert (found.base_url, found.rate, found.group, found.read_attempts) == (DEFAULT_BASE_URL, 10.0, "", 5)
    assert configured(None, api_key="k", base_url="http://127.0.0.1:8").rate is None
    environment.setenv("REVER_RATE", "none")
    assert configured(None, api_key="k").rate is None


def test_a_missing_key_is_asked_for(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongSetup, match=r"pass api_key=\.\.\., or set REVER_API_KEY"):
        configured(None)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TIMEOUT", "soon", "REVER_TIMEOUT must be a number, found 'soon'"),
        ("TIMEOUT", "0", "timeout must be above 0"),
        ("RATE", "fast", "REVER_RATE must be a number"),
        ("MAX_IN_FLIGHT", "2.5", "REVER_MAX_IN_FLIGHT must be a whole number"),
    ],
)
def test_a_wrong_number_of_the_environment_is_named(
    environment: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    environment.setenv(f"REVER_{name}", value)
    with pytest.raises(WrongSetup, match=sentence):
        configured(None, api_key="k")


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "2"])
def test_max_retries_is_a_whole_number(wrong: Any) -> None:
    with pytest.raises(WrongSetup, match="max_retries must be a whole number from 0 on"):
        configured(ClientConfig("https://x.example", SecretStr("k")), max_retries=wrong)


def test_a_configuration_is_taken_as_it_is_but_for_what_is_given(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REVER_BASE_URL", "https://not.example")
    config = ClientConfig("https://x.example", SecretStr("k"), deadline=3.0, read_attempts=1)
    assert configured(config) is config
    changed = configured(config, timeout=20.0, max_retries=2)
    assert (changed.base_url, changed.timeout, changed.deadline, changed.read_attempts) == (
        "https://x.example",
        20.0,
        None,
        3,
    )


CONTRACT = Path(__file__).parents[2] / "rever_api" / "openapi.yaml"


def corrected(tmp_path: Path, text: str) -> Endpoints:
    file = tmp_path / "endpoints.toml"
    file.write_text(text, "utf-8")
    return Endpoints.load(file)


def test_every_operation_of_the_contract_is_there() -> None:
    table = Endpoints.load().by_operation
    count = 0
    for path, item in yaml.safe_load(CONTRACT.read_text("utf-8"))["paths"].items():
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            endpoint = table[item[method]["operationId"]]
            assert (endpoint.method, endpoint.path) == (method.upper(), path)
            assert endpoint.confidence == item[method]["x-confidence"]
            count += 1
    assert count == len(table)


def test_the_query_has_the_contracts_parameters() -> None:
    assert set(Endpoints.load()["searchReturnProcesses"].parameters) == set(SearchQuery.model_fields)


def test_a_users_file_corrects_method_path_and_parameter(tmp_path: Path) -> None:
    endpoints = corrected(
        tmp_path,
        '[searchReturnProcesses]\nmethod = "post"\npath = "/v2/search"\n'
        '[searchReturnProcesses.parameters]\nprocess_id = "processId"\n',
    )
    request = search_return_processes(Routes("https://x.example", endpoints), SearchQuery(process_id="p")).request
    assert (request.method, request.url) == ("POST", "https://x.example/v2/search")
    assert ("processId", "p") in request.params
    assert endpoints["issueRefund"] == Endpoints.load()["issueRefund"]


def test_a_parameter_may_move_from_the_path_into_the_query(tmp_path: Path) -> None:
    endpoints = corrected(tmp_path, '[getReturnProcess]\npath = "/v1/processes"')
    request = get_return_process(Routes("https://x.example", endpoints), "p/1").request
    assert (request.url, request.params) == ("https://x.example/v1/processes", (("process_id", "p/1"),))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[searchReturnProceses]",
            r"\[searchReturnProceses\]: unknown operation .* did you mean searchReturnProcesses",
        ),
        ("[issueRefund]\npth = 1", r"\[issueRefund\] pth: unknown key 'pth'; did you mean path"),
        ("issueRefund = 3", r"\[issueRefund\]: must be a table, found 3"),
        ('[issueRefund]\nmethod = "PAY"', r"method: found 'PAY', must be one of GET, POST"),
        ('[issueRefund]\npath = "v1/refunds"', r"path: found 'v1/refunds', must be a path such as \"/v1"),
        ('[issueRefund]\npath = "/v1/refunds?x=1"', "must be a path such as"),
        ('[issueRefund]\npath = "/v1/{process}/refunds"', "unknown parameter 'process'; did you mean process_id"),
        ('[issueRefund]\npath = "/v1/{process_id/refunds"', "braces do not match"),
        ("[createReturn]\nparameters = {x = 'y'}", "unknown parameter 'x'; known are: none"),
        ("[issueRefund]\nparameters = {process_id = ''}", "process_id is '', must be the parameter's name"),
        ("[issueRefund]\nparameters = 3", "must be a table of parameter names"),
        ("[issueRefund", "not a TOML file"),
    ],
)
def test_a_wrong_file_is_refused_with_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(EndpointsError, match=sentence) as raised:
        corrected(tmp_path, text)
    assert str(tmp_path / "endpoints.toml") in str(raised.value)


def test_a_missing_or_undecodable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EndpointsError, match="cannot be read"):
        Endpoints.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"\xff")
    with pytest.raises(EndpointsError, match="not a TOML file"):
        Endpoints.load(tmp_path / "latin.toml")
