"""`rever-returns up`: all that the desk needs to live in Prefect, as child processes in one terminal, on 127.0.0.1.

For a machine of its own, and to look at it all. What each part is, and how to run them apart: docs/running.md.
"""
