"""The endpoint table is the contract's, and a user's file corrects it or is refused with a sentence."""

from pathlib import Path

import pytest
import yaml

from rever_api import Endpoints, EndpointsError
from rever_api.models import SearchQuery
from rever_api.operations import Routes, get_return_process, search_return_processes

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
