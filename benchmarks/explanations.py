"""How often an explanation is right, and what it takes: `python benchmarks/explanations.py`.

Each mistake runs in this process, one after the other; the first ones therefore pay for what is imported or set up
once. Rates are over all mistakes of a set, those of repairs over the ones for which a text edit is right.
"""

import contextlib
import io
import statistics
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))

from shapeguard import explain
from tests.explanation.cases import Case, execute, gives_the_same, has_conflict, is_located, runs
from tests.explanation.corpus_fresh import FRESH
from tests.explanation.corpus_held_out import HELD_OUT
from tests.explanation.corpus_tuned import TUNED


def measure(name: str, cases: Sequence[Case]) -> None:
    """Print one row of the table."""
    times: list[float] = []
    located = conflict = first = among = offered = ran = 0
    repairable = [case for case in cases if case.repair]
    for case in cases:
        with contextlib.redirect_stdout(io.StringIO()):
            _, error = execute(case.code, f"<{case.name}>")
            assert error is not None, case.name
            started = perf_counter()
            finding = explain(error)
            times.append((perf_counter() - started) * 1000)
            located += is_located(case, finding)
            conflict += has_conflict(case, finding)
            fixes = () if finding is None else finding.fixes
            offered += len(fixes)
            ran += sum(runs(case, fix) for fix in fixes)
            if case.repair:
                right = [gives_the_same(case, fix) for fix in fixes]
                first += any(right[:1])
                among += any(right)
    count, repairs = len(cases), len(repairable)
    print(
        f"| {name} | {count} | {located / count:.0%} | {conflict / count:.0%} | {first}/{repairs} = {first / repairs:.0%} "
        f"| {among}/{repairs} = {among / repairs:.0%} | {ran}/{offered} | {statistics.median(times):.1f} "
        f"| {statistics.quantiles(times, n=20)[-1]:.1f} | {max(times):.0f} |"
    )


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    print("| set | mistakes | located | conflict | right first | among three | ran | median ms | p95 ms | worst ms |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, cases in (("tuned", TUNED), ("held out", HELD_OUT), ("fresh", FRESH)):
        measure(name, cases)


if __name__ == "__main__":
    main()
