"""How much longer does a cell of 200 assignments take when every one of them is annotated?"""

import sys

from benchmarks.pairing import Figure, measure, tell
from benchmarks.shells import Front, SerialisingFront, assignments, new_shell, runner, swallowed

ASSIGNMENTS = 200
LIMIT = 1.15
PAIRS = 80


def figures(pairs: int = PAIRS) -> list[Figure]:
    cell = assignments(ASSIGNMENTS)
    jaxtyping = new_shell("jaxtyping")
    # Its extension does something once a type checker was chosen.
    jaxtyping.run_line_magic("jaxtyping.typechecker", "beartype.beartype")
    runs = {
        "control, plain against plain": runner(new_shell(), cell),
        "terminal": runner(new_shell("shapeguard"), cell),
        "terminal, a row for each": runner(new_shell("shapeguard"), cell, rows=ASSIGNMENTS),
        "notebook": runner(new_shell("shapeguard", front=Front), cell),
        "notebook, a row for each": runner(new_shell("shapeguard", front=Front), cell, rows=ASSIGNMENTS),
        "notebook, and the kernel's serialising": runner(new_shell("shapeguard", front=SerialisingFront), cell),
        "jaxtyping's extension, which annotates nothing": runner(jaxtyping, cell),
    }
    limits = {"terminal", "terminal, a row for each", "notebook", "notebook, a row for each"}
    with swallowed():
        taken = measure(runner(new_shell(), cell), runs, pairs)
    return [Figure(name, taken[name].ratios(), limit=LIMIT if name in limits else None) for name in runs]


def main() -> int:
    return tell(__doc__ or "", figures())


if __name__ == "__main__":
    sys.exit(main())
