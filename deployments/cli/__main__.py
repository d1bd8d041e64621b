"""`python -m deployments.cli`: the command line, for whoever starts it as a child with the interpreter it runs in."""

from deployments.cli.app import main

main()
