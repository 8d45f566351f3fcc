"""How much longer does a cell of one assignment take, until its annotation is shown?"""

import sys

from benchmarks.pairing import Figure, measure, tell
from benchmarks.shells import Front, assignments, new_shell, runner, swallowed

LIMIT = 0.3
PAIRS = 300


def figures(pairs: int = PAIRS) -> list[Figure]:
    cell = assignments(1)
    runs = {
        "control, plain against plain": (runner(new_shell(), cell), None),
        "terminal": (runner(new_shell("shapeguard"), cell), LIMIT),
        "notebook": (runner(new_shell("shapeguard", front=Front), cell), LIMIT),
    }
    with swallowed():
        taken = measure(runner(new_shell(), cell), {name: run for name, (run, _) in runs.items()}, pairs)
    return [
        Figure("plain", tuple(1e3 * seconds for seconds in taken["terminal"].plain), "ms"),
        *(Figure(f"more: {name}", taken[name].differences(), "ms", limit) for name, (_, limit) in runs.items()),
    ]


def main() -> int:
    return tell(__doc__ or "", figures())


if __name__ == "__main__":
    sys.exit(main())
