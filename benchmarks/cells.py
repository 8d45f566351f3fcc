"""How much longer does a cell of 200 assignments take when every one of them is annotated?"""

import sys
from importlib.util import find_spec

from IPython.core.interactiveshell import InteractiveShell

from benchmarks.pairing import Figure, measure, tell
from benchmarks.shells import ROWS, Front, SerialisingFront, assignments, new_shell, runner, swallowed
from ipython_ext import last_report

ASSIGNMENTS = 200
LIMIT = 1.15
PAIRS = 80


def figures(pairs: int = PAIRS) -> list[Figure]:
    cell = assignments(ASSIGNMENTS)
    ours = {
        "terminal": (new_shell("shapeguard"), LIMIT),
        "terminal, a row for each": (new_shell("shapeguard"), None),
        "notebook": (new_shell("shapeguard", front=Front), LIMIT),
        "notebook, a row for each": (new_shell("shapeguard", front=Front), None),
        "notebook, and the kernel's serialising": (new_shell("shapeguard", front=SerialisingFront), None),
    }
    every = {"control, plain against plain": (new_shell(), None), **ours, **peers()}
    runs = {
        name: runner(shell, cell, ASSIGNMENTS if "a row for each" in name else ROWS)
        for name, (shell, _) in every.items()
    }
    with swallowed():
        taken = measure(runner(new_shell(), cell), runs, pairs)
    for shell, _ in ours.values():
        report = last_report(shell)
        # What is fast because it saw nothing would be no figure.
        assert report is not None
        assert len(report.observations) == ASSIGNMENTS
    return [Figure(name, taken[name].ratios(), limit=limit) for name, (_, limit) in every.items()]


def peers() -> dict[str, tuple[InteractiveShell, None]]:
    """Shells with other extensions, as far as they are installed."""
    jaxtyping = new_shell("jaxtyping")
    # It does something once a type checker was chosen.
    jaxtyping.run_line_magic("jaxtyping.typechecker", "beartype.beartype")
    found = {"jaxtyping's extension, which annotates nothing": (jaxtyping, None)}
    if find_spec("trickle") is not None:
        found["trickle-observe, which writes to a file"] = (new_shell("trickle", singleton=True), None)
    return found


def main() -> int:
    return tell(__doc__ or "", figures())


if __name__ == "__main__":
    sys.exit(main())
