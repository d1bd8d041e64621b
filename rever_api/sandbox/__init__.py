"""A local REVER over real HTTP: state, seeded shops, faults on demand, books of every effect, and an auditor.

It is made to develop and test against. It does not deduplicate calls, as REVER is not known to do so.
"""

from rever_api.sandbox.auditor import Audit, Due, Violation
from rever_api.sandbox.faults import Fault, FaultPlan, NamedFault, parse_faults
from rever_api.sandbox.server import (
    DEFAULT_PORT,
    DEFAULT_RETURNS,
    DEFAULT_SEED,
    RunningSandbox,
    running_sandbox,
    serve,
)
from rever_api.sandbox.shops import further
from rever_api.sandbox.state import Options
from rever_api.sandbox.webhooks import Webhook

__all__ = [
    "DEFAULT_PORT",
    "DEFAULT_RETURNS",
    "DEFAULT_SEED",
    "Audit",
    "Due",
    "Fault",
    "FaultPlan",
    "NamedFault",
    "Options",
    "RunningSandbox",
    "Violation",
    "Webhook",
    "further",
    "parse_faults",
    "running_sandbox",
    "serve",
]
