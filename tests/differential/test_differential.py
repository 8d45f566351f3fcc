"""The guard gives jaxtyping's verdicts, bindings and results of isinstance, on random functions and calls."""

from collections.abc import Callable
from typing import Any

import pytest

from shapeguard.enforcement import build, guard
from tests.differential.generator import run

CALLS = 50_000


def test_verdicts_and_bindings_are_those_of_jaxtyping_with_beartype() -> None:
    accepted, disagreements = run(seed=0, calls=CALLS)
    assert disagreements == []
    # A fuzzer that is always refused, or never, proves nothing.
    assert 0.35 * CALLS <= accepted <= 0.65 * CALLS


def _with_text(change: Callable[[str], str]) -> Callable[[pytest.MonkeyPatch], None]:
    def install(patch: pytest.MonkeyPatch) -> None:
        real = build._code
        patch.setattr(build, "_code", lambda source, shown: real(change(source), shown))

    return install


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a memo that was materialised is taken for untouched": _with_text(
        lambda source: source.replace("if _sg_top is _sg", "if True")
    ),
    "arguments are not read again at exit": _with_text(
        lambda source: "\n".join(
            line.partition(" and ")[0].rstrip(":") + ":" if "if _sg_top is _sg" in line else line
            for line in source.split("\n")
        )
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_known_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[fault](monkeypatch)
    disagreements: list[Any] = []
    for seed in range(10):
        _, disagreements = run(seed=seed, calls=3_000, decorate=guard)
        if disagreements:
            break
    assert disagreements
