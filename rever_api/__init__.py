"""The REVER Admin API for Python: models, a sync and an async client, and a sandbox. Knows nothing of Prefect."""
