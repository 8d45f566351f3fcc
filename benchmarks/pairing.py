"""Measuring on a machine that is not quiet: runs that are compared stand next to each other, and medians are compared.

CPU time, so that what else the machine does counts for little; pairs of neighbouring runs, the order alternating, so
that what drifts (frequency, caches) meets both sides alike.
"""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from time import process_time
from typing import TypeAlias

Run: TypeAlias = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, with its spread where it is the median of many, and the limit that it must keep, if it has one."""

    label: str
    values: tuple[float, ...]
    unit: str = "×"
    limit: float | None = None

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def kept(self) -> bool:
        """Whether the median is within the limit."""
        return self.limit is None or self.value <= self.limit

    def __str__(self) -> str:
        text = f"{self.label:<54} {self.value:8.3f} {self.unit:<2}"
        if len(self.values) > 1:
            tenths = quantiles(self.values, n=10)
            text = f"{text}  ({tenths[0]:.3f} to {tenths[-1]:.3f}, n={len(self.values)})"
        if self.limit is None:
            return text
        return f"{text}  limit {self.limit:g}: {'kept' if self.kept else 'PASSED'}"


@dataclass(frozen=True, slots=True)
class Pairs:
    """CPU seconds of runs that stood next to each other."""

    plain: tuple[float, ...]
    other: tuple[float, ...]

    def ratios(self) -> tuple[float, ...]:
        """How many times as long the other took, pair by pair."""
        return tuple(other / plain for plain, other in zip(self.plain, self.other, strict=True))

    def differences(self, scale: float = 1e3) -> tuple[float, ...]:
        """How much longer the other took, pair by pair; in milliseconds, unless scaled otherwise."""
        return tuple((other - plain) * scale for plain, other in zip(self.plain, self.other, strict=True))


def measure(plain: Run, others: Mapping[str, Run], pairs: int, warm_up: int = 5) -> dict[str, Pairs]:
    """Run each of `others` next to `plain`, `pairs` times, all of them in turn."""
    for _ in range(warm_up):
        for run in (plain, *others.values()):
            run()
    # What is alive now stays: a full collection then takes as long as what the runs themselves leave behind.
    gc.collect()
    gc.freeze()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in others}
    for index in range(pairs):
        for name, run in others.items():
            if index % 2:
                other, first = cpu_seconds(run), cpu_seconds(plain)
            else:
                first, other = cpu_seconds(plain), cpu_seconds(run)
            taken[name].append((first, other))
    gc.unfreeze()
    return {name: Pairs(*map(tuple, zip(*times, strict=True))) for name, times in taken.items()}


def cpu_seconds(run: Run) -> float:
    """CPU time of one run, which pays for its own garbage and not for that of the run before it."""
    gc.collect()
    start = process_time()
    run()
    return process_time() - start


def tell(question: str, figures: Sequence[Figure]) -> int:
    """Print the figures; the exit status, 1 if a limit is passed."""
    print(question)
    for figure in figures:
        print(f"  {figure}", flush=True)
    return 0 if all(figure.kept for figure in figures) else 1
