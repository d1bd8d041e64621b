"""The fast lane: a warm process that executes the runs of one work pool, within a second of their being due.

Starting a process for each run cannot do that: a fresh Python with Prefect in it takes three seconds. To Prefect's
server and UI the lane is a worker of the pool like any other; where no lane runs, an ordinary worker can serve it.

It does not stand on `prefect.workers.base.BaseWorker`. A worker class with the same engine, polling as often, took
twice as long from the creation of a run to its beginning: 3.8 s against 1.9 s at the median of 30 runs each, in turns
on the same busy machine (4.4 against 2.6 and 3.0 against 1.6 in the two rounds; Prefect 3.8.8 on SQLite). Before each
run it reads the deployment again, resolves the job's template, writes labels and a second state; each of its polls
writes to the database, which keeps SQLite busy; and it cancels only runs that have not begun: the others are left to a
process of their own.

The lane promises nothing of its own. A run that dies with its lane is ended by the automation that `rever-returns
bootstrap` makes, and what it had begun at REVER is settled by the ledger.
"""
