"""The fast lane: a warm process that executes the runs of one work pool, within a second of their being due.

What starts a process for each run cannot: a fresh Python with Prefect in it takes three seconds. The lane is a worker
of the pool like any other to Prefect's server and UI; where no lane runs, an ordinary worker can serve the same pool.

It promises nothing of its own. A run that dies with its lane is ended by the automation that `rever-returns bootstrap`
makes, and what it had begun at REVER is settled by the ledger.
"""
