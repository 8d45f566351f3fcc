"""`python -m tests.differential --calls 1000000 --seed 0`: the guard against jaxtyping with beartype."""

import argparse
import sys

from tests.differential.generator import run

parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
parser.add_argument("--calls", type=int, default=1_000_000)
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

accepted, disagreements = run(options.seed, options.calls)
sys.stdout.write(
    "\n".join([*disagreements[:10], f"{options.calls} calls, {accepted} accepted, {len(disagreements)} differ\n"])
)
sys.exit(bool(disagreements))
