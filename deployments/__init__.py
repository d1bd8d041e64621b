"""How the flows are run: the command line, the deployments, the webhook receiver, and what starts and checks them."""
