"""`python -m deployments.demo`."""

from deployments.demo.play import main

raise SystemExit(main())
