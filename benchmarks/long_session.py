"""Does a cell cost more, or is more memory kept, the longer a session goes on?"""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import ipython_ext
import shapeguard
from benchmarks.pairing import Figure, Pairs, cpu_seconds, tell
from benchmarks.shells import Front, assignments, new_shell, runner, swallowed

CELLS = 1_000
ASSIGNMENTS = 20
WARM = 100
LIMIT = 1.3
LIMIT_BYTES = 256
"""For each cell: dicts of IPython's that double at one moment or another give ±100, one syntax tree kept gives 20,000."""
LIMIT_OWN_BYTES = 16
"""For each cell: the last cell's report alone stays, which is some kilobytes for the whole session."""
OWN = [
    tracemalloc.Filter(inclusive=True, filename_pattern=str(Path(package.__file__ or "").parent / "*"))
    for package in (shapeguard, ipython_ext)
]


def cost(cells: int = CELLS) -> list[Figure]:
    """The extra time of a cell in the last tenth of the session against the first."""
    cell = assignments(ASSIGNMENTS)
    plain, annotated = runner(new_shell(), cell), runner(new_shell("shapeguard", front=Front), cell)
    pairs: list[tuple[float, float]] = []
    with swallowed():
        for _ in range(WARM):
            plain(), annotated()
        gc.freeze()
        for index in range(cells):
            if index % 2:
                other, first = cpu_seconds(annotated), cpu_seconds(plain)
            else:
                first, other = cpu_seconds(plain), cpu_seconds(annotated)
            pairs.append((first, other))
        gc.unfreeze()
    tenth = cells // 10
    early, late = (Pairs(*zip(*part, strict=True)) for part in (pairs[: 2 * tenth], pairs[-2 * tenth :]))
    first_fifth = Figure(f"cells 1 to {2 * tenth}: more", early.differences(), "ms")
    last_fifth = Figure(f"cells {cells - 2 * tenth + 1:,} to {cells:,}: more", late.differences(), "ms")
    return [
        first_fifth,
        last_fifth,
        Figure("last fifth against first", (last_fifth.value / first_fifth.value,), limit=LIMIT),
    ]


def kept(run: Callable[[], None], cells: int) -> tuple[float, float]:
    """Bytes a cell that are still allocated after `cells` runs: all of them, and those that shapeguard's lines took."""
    for _ in range(WARM):
        run()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    for _ in range(cells):
        run()
    gc.collect()
    after = tracemalloc.take_snapshot()
    tracemalloc.stop()
    growths = [
        sum(line.size_diff for line in after.filter_traces(chosen).compare_to(before.filter_traces(chosen), "lineno"))
        for chosen in ([], OWN)
    ]
    return growths[0] / cells, growths[1] / cells


def memory(cells: int = CELLS) -> list[Figure]:
    """What stays allocated, beside a plain shell, which keeps the text of every cell for tracebacks.

    A notebook's shell: in a terminal IPython itself keeps in its history whatever is printed.
    """
    cell = assignments(ASSIGNMENTS)
    with swallowed():
        plain, _ = kept(runner(new_shell(), cell), cells)
        annotated, own = kept(runner(new_shell("shapeguard", front=Front), cell), cells)
    return [
        Figure("bytes kept for each cell, plain", (plain,), "B"),
        Figure("bytes kept for each cell, more", (annotated - plain,), "B", LIMIT_BYTES),
        Figure("bytes kept for each cell by shapeguard's own lines", (own,), "B", LIMIT_OWN_BYTES),
    ]


def figures() -> list[Figure]:
    return [*cost(), *memory()]


def main() -> int:
    return tell(__doc__ or "", figures())


if __name__ == "__main__":
    sys.exit(main())
