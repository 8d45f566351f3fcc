"""The guard gives jaxtyping's verdicts, bindings and results of isinstance, on random functions and calls."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from shapeguard.enforcement import build, generated, guard, keys
from shapeguard.enforcement.memo import OMITTED
from shapeguard.enforcement.plan import Plan, Verdict
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


def _key_omitted_as_given(patch: pytest.MonkeyPatch) -> None:
    # Every default of a generated function is None.
    real = keys.key_of
    faulty = lambda value: real(None if value is OMITTED else value)  # noqa: E731
    patch.setattr(generated, "_sg_key_of", faulty)
    patch.setattr(keys, "key_of", faulty)


def _share_the_record(patch: pytest.MonkeyPatch) -> None:
    """What a call bound is kept with the function until the call ends, where a recursive call replaces it."""
    last: dict[Plan, Verdict] = {}
    real = Plan._remember

    class Shared:
        def __init__(self, plan: Plan, verdict: Verdict) -> None:
            self.plan, self.verdict = plan, verdict

        def is_bound_in(self, memos: Any) -> bool:
            self.verdict._single, self.verdict._variadic = last[self.plan]._single, last[self.plan]._variadic
            return self.verdict.is_bound_in(memos)

        def confirm(self, key: Any) -> None:
            self.verdict.confirm(key)

    def remember(self: Plan, key: Any, memos: Any) -> Any:
        verdict = real(self, key, memos)
        if verdict is None:
            return None
        last[self] = verdict
        return Shared(self, verdict)

    patch.setattr(Plan, "_remember", remember)


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a memo that was materialised is taken for untouched": _with_text(
        lambda source: source.replace("(_sg_top is _sg", "(True").replace("if _sg_top is _sg_hit", "if True")
    ),
    "arguments are not read again at exit": _with_text(
        lambda source: re.sub(r"not \(_sg_top is _sg .*\): break", "_sg_top is not _sg: break", source)
    ),
    "an omitted default is keyed as if it were given": _key_omitted_as_given,
    "recursion replaces what the outer call recorded": _share_the_record,
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
