"""`rever-returns doctor`: the checks, and with `--openapi` the comparison with REVER's official document."""

from pathlib import Path

from deployments.doctor import openapi
from deployments.doctor.examination import Examination
from deployments.doctor.line import sound
from deployments.doctor.run import examine
from deployments.doctor.text import lines_json, lines_text
from rever_api import DEFAULT_BASE_URL
from rever_api.openapi import read_document
from rever_api.openapi_diff import Comparison, compare
from tasks.reporting.printable import json_text


def doctor_says(file: Path | None, *, receiver_url: str = "", credentials: str = "", as_json: bool) -> tuple[str, bool]:
    """What to print, and whether nothing is broken. Raises `DocumentError` for a file that is no such document."""
    document = read_document(file) if file else None
    examination = Examination(receiver_url=receiver_url, credentials=credentials)
    lines = examine(examination=examination)
    compared: Comparison | None = None
    if document is not None:
        settings = examination.found_settings
        base_url = settings.base_url if settings and not settings.loopback else DEFAULT_BASE_URL
        compared = compare(document, examination.found_endpoints, base_url)
        lines.append(openapi.judged(compared))
    if as_json:
        told = lines_json(lines) | {"openapi": openapi.as_json(compared) if compared else None}
        return json_text(told, indent=2), sound(lines)
    parts = [lines_text(lines), *([openapi.text(compared, str(file))] if compared else [])]
    return "\n\n".join(parts), sound(lines)
