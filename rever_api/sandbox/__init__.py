"""A local REVER over real HTTP: state, seeded shops, faults on demand, books of every effect, and an auditor.

It is made to develop and test against. It dedupes nothing by itself, as REVER is not known to.
"""

from rever_api.sandbox.running import RunningSandbox, running_sandbox, serve

__all__ = ["RunningSandbox", "running_sandbox", "serve"]
