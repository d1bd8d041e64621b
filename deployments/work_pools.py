"""The names of the desk's two work pools. `prefect.yaml` has the same ones; a test holds both together."""

POOL = "rever"
"""Runs that schedules and people start. Executed by Prefect's own worker: `prefect worker start --pool rever`."""

FAST_LANE = "rever-fast-lane"
"""Runs that events start. Executed by `rever-returns lane`, within a second."""
