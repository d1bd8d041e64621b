"""How the flows are run: the command line, and later the deployments and the webhook receiver."""
