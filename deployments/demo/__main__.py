"""`python -m deployments.demo`."""

import os

from deployments.demo.play import main

os.umask(0o077)
raise SystemExit(main())
