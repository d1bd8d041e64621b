"""nginx.conf: what reaches the receiver and Prefect from outside, by the settings that go with it."""

import re
from urllib.parse import urlsplit

from tests.docs.pages import ROOT, blocks

TEXT = (ROOT / "deployments" / "nginx.conf").read_text("utf-8")


def locations() -> list[tuple[str, str]]:
    return re.findall(r"location (.+?) +\{([^{}]*(?:\{[^}]*\}[^{}]*)*)\}", TEXT)


def test_braces_are_closed_and_statements_end() -> None:
    code = re.sub(r"#.*", "", TEXT)
    assert code.count("{") == code.count("}")
    assert [line for line in code.splitlines() if line.strip() and line.strip()[-1] not in ";{}"] == []


def test_of_the_receiver_only_the_webhooks_are_outside_with_a_prefix_and_without() -> None:
    to_receiver = [where for where, how in locations() if "127.0.0.1:8766" in how]
    assert len(to_receiver) == 2
    for where in to_receiver:
        pattern = re.compile(where.removeprefix("~ "))
        prefix = "/returns" if "/returns" in where else ""
        assert pattern.search(f"{prefix}/webhooks/rever")
        assert pattern.search(f"{prefix}/webhooks/rever/created")
        assert not any(pattern.search(f"{prefix}{path}") for path in ("/health", "/metrics", "/webhooks/reverse"))
    assert sum("limit_except POST { deny all; }" in how for _, how in locations()) == 2
    assert sum(where == "/" and "return 404" in how for where, how in locations()) == TEXT.count("server_name")


def test_prefects_prefix_is_that_of_the_settings_on_the_engineers_page() -> None:
    page = "\n".join(text for _, text in blocks(ROOT / "docs" / "engineer.md", "sh"))
    settings = dict(re.findall(r"^(PREFECT_\w+)=(.*)$", page, re.MULTILINE))
    assert dict(re.findall(r"^#   (PREFECT_\w+)=(.*)$", TEXT, re.MULTILINE)).items() <= settings.items()
    base = settings["PREFECT_UI_SERVE_BASE"]
    api = urlsplit(settings["PREFECT_UI_API_URL"])
    assert urlsplit(settings["PREFECT_UI_URL"]).path == base
    assert f"{api.scheme}://{api.netloc}" == settings["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]
    assert f"server_name {api.hostname};" in TEXT
    passed = dict(locations())
    assert "proxy_pass http://127.0.0.1:4200/api/;" in passed[f"{api.path}/"]
    # The UI is passed on with its prefix: no path behind the address.
    assert "proxy_pass http://127.0.0.1:4200;" in passed[base]
