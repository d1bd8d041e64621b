"""Run the model for so many steps, and say what was run: `python -m tests.model --steps 10000`."""

import argparse
import os
import sys
import time
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 where nothing was broken, 1 otherwise. A broken example is printed as it was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="steps at least, over both machines")
    parser.add_argument("--seed", type=int, default=None, help="of the first round; the next rounds count on from it")
    parser.add_argument("--machine", choices=("safety", "liveness", "both"), default="both")
    parser.add_argument("--shrink", action="store_true", help="then look for a smaller example, for up to an hour")
    asked = parser.parse_args(arguments)
    for name in [name for name in os.environ if name.startswith("REVER_")]:
        del os.environ[name]
    from tests.model.rounds import rounds

    seed = asked.seed if asked.seed is not None else int(time.time())
    return rounds(asked.steps, seed, asked.machine, shrink=asked.shrink)


if __name__ == "__main__":
    sys.exit(main())
