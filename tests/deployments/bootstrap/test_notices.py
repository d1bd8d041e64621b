"""Which block an address of notices makes, and that nobody is shown the address."""

import logging

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from pydantic import SecretStr

from deployments.bootstrap.automations import notices_block
from deployments.bootstrap.objects import BootstrapError

SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


@pytest.mark.parametrize("url", [SLACK, "mailto://user:password@example.com", "json://127.0.0.1:9/path"])
def test_what_apprise_knows_goes_its_way(url: str) -> None:
    block = notices_block(SecretStr(url))
    assert isinstance(block, SlackWebhook)
    assert block.url.get_secret_value() == url


def test_any_other_http_address_gets_json_and_is_kept_as_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        block = notices_block(SecretStr("https://example.com/only-we-know"))
    assert isinstance(block, CustomWebhookNotificationBlock)
    sent = block._build_request_args("the body", "the subject")
    assert (sent["method"], sent["url"]) == ("POST", "https://example.com/only-we-know")
    assert sent["json"] == {"text": "the subject\nthe body", "subject": "the subject", "body": "the body"}
    assert "only-we-know" not in block.model_dump_json() + repr(block) + caplog.text


@pytest.mark.parametrize("url", ["nonsense", "ftp://example.com/secret-path", "https://"])
def test_what_is_no_address_is_said_to_be_none_without_repeating_it(url: str) -> None:
    with pytest.raises(BootstrapError, match="REVER_NOTICES_URL is no address") as found:
        notices_block(SecretStr(url))
    assert "secret-path" not in str(found.value)
