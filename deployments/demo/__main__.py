"""`python -m deployments.demo`."""

import argparse
import os

from deployments.demo import play

argparse.ArgumentParser(prog="python -m deployments.demo", description=play.__doc__).parse_args()  # it takes none
os.umask(0o077)
raise SystemExit(play.main())
