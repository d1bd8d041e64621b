"""The webhook receiver: takes REVER's events in, keeps each once, and has a run look at its return.

Storing and acting are apart: the response to REVER depends on the inbox alone, and a dispatcher offers runs to Prefect
as soon as Prefect can take them.
"""
