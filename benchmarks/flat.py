"""Does what a cell costs more depend on how many names exist, or on how large its tensors are?

The limit is on the largest case against the smallest: near 1 is flat. A cost in proportion to either would give a
ratio of thousands.
"""

import sys
from collections.abc import Mapping

from benchmarks.pairing import Figure, Pairs, measure, tell
from benchmarks.shells import assignments, new_shell, runner, swallowed

ASSIGNMENTS = 50
LIMIT = 1.3
PAIRS = 80
NAMES = (10, 1_000, 100_000)
ELEMENTS = (1, 10_000, 100_000_000)


def of_names(pairs: int) -> list[Figure]:
    """The namespace holds more and more names that the cell does not touch."""
    cell = assignments(ASSIGNMENTS)
    taken: dict[int, Pairs] = {}
    for number in NAMES:
        plain, annotated = new_shell(), new_shell("shapeguard")
        for shell in (plain, annotated):
            shell.user_ns.update((f"name{index}", index) for index in range(number))
        with swallowed():
            taken[number] = measure(runner(plain, cell), {"": runner(annotated, cell)}, pairs)[""]
    return _compared(taken, "names in the namespace")


def of_elements(pairs: int) -> list[Figure]:
    """The cell binds one existing tensor again and again; nothing is computed, and none of its memory is touched."""
    taken: dict[int, Pairs] = {}
    for number in ELEMENTS:
        plain, annotated = new_shell(), new_shell("shapeguard")
        with swallowed():
            for shell in (plain, annotated):
                shell.run_cell(f"t = torch.empty({number}, dtype=torch.uint8)").raise_error()
            cell = assignments(ASSIGNMENTS, "t")
            taken[number] = measure(runner(plain, cell), {"": runner(annotated, cell)}, pairs)[""]
    return _compared(taken, "elements in each tensor")


def _compared(taken: Mapping[int, Pairs], what: str) -> list[Figure]:
    figures = [
        Figure(f"{number:,} {what}: more", pairs.differences(1e6 / ASSIGNMENTS), "µs")
        for number, pairs in taken.items()
    ]
    return [*figures, Figure(f"{what}: largest against smallest", (figures[-1].value / figures[0].value,), limit=LIMIT)]


def figures(pairs: int = PAIRS) -> list[Figure]:
    return [*of_names(pairs), *of_elements(pairs)]


def main() -> int:
    return tell((__doc__ or "").partition("\n")[0], figures())


if __name__ == "__main__":
    sys.exit(main())
