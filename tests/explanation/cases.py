"""How a failure of the corpus is written down, run, explained and repaired."""

import linecache
from dataclasses import dataclass
from typing import Any

import torch

from shapeguard.explanation import explanation_of
from shapeguard.notation import brief
from shapeguard.observation.positions import SourceText
from shapeguard.records import Finding, Fix

PREAMBLE = "import math\nimport numpy as np\nimport torch\nfrom torch import nn\nimport torch.nn.functional as F\ntorch.manual_seed(0)\n"


@dataclass(frozen=True)
class Case:
    """One mistake: a program that fails, where, on what, why, and a text that would have been right."""

    name: str
    code: str
    at: str
    """The expression that fails, as the finding says it."""
    operands: dict[str, str]
    """Some of the operands, as written, with their briefs."""
    conflict: tuple[tuple[Any, ...], ...]
    """(operand, dim, what, value): each must be among the finding's conflicts."""
    repair: tuple[tuple[str, str], ...] = ()
    """What stands in the code, and what should; none where no text edit alone would be right."""


@dataclass
class Outcome:
    """What became of a case."""

    error: BaseException | None
    finding: Finding | None


def namespace() -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(PREAMBLE, space)
    return space


def execute(code: str, filename: str) -> tuple[dict[str, Any], BaseException | None]:
    """Run a program; the exception keeps its traceback."""
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    space = namespace()
    try:
        exec(compile(code, filename, "exec"), space)
    except Exception as error:  # noqa: BLE001
        return space, error
    return space, None


def outcome_of(case: Case) -> Outcome:
    _, error = execute(case.code, f"<{case.name}>")
    if error is None:
        return Outcome(None, None)
    found = explanation_of(error, lambda _name, text: SourceText(text))
    return Outcome(error, None if found is None else found.finding)


def is_located(case: Case, finding: Finding | None) -> bool:
    if finding is None or finding.expression != case.at:
        return False
    seen = {operand.expression: brief(operand.spec) for operand in finding.operands}
    return all(seen.get(name) == text for name, text in case.operands.items())


def has_conflict(case: Case, finding: Finding | None) -> bool:
    if finding is None:
        return False
    seen = {(finding.operands[c.operand].expression, c.dim, c.what, c.value) for c in finding.conflicts}
    return set(case.conflict) <= seen


def applied(code: str, fix: Fix) -> str:
    """The program with a fix in it: columns are code points, lines count from 1."""
    lines = code.split("\n")

    def offset(line: int, column: int) -> int:
        return sum(len(text) + 1 for text in lines[: line - 1]) + column

    places = [
        (offset(e.span.line, e.span.column), offset(e.span.end_line, e.span.end_column), e.text) for e in fix.edits
    ]
    for start, end, text in sorted(places, reverse=True):
        code = code[:start] + text + code[end:]
    return code


def repaired(case: Case) -> str:
    code = case.code
    for old, new in case.repair:
        assert old in code, (case.name, old)
        code = code.replace(old, new)
    return code


def gives_the_same(case: Case, fix: Fix) -> bool:
    """Whether a fix does what the right repair does: `result` is the same, and if it is a layer's, the text is."""
    right, error = execute(repaired(case), f"<{case.name} right>")
    assert error is None, (case.name, error)
    offered, failed = execute(applied(case.code, fix), f"<{case.name} offered>")
    if failed is not None:
        return False
    return _equal(right.get("result"), offered.get("result"))


def runs(case: Case, fix: Fix) -> bool:
    """Whether the program gets past the expression that failed, with the result that the record says."""
    code = applied(case.code, fix)
    _, failed = execute(code, f"<{case.name} runs>")
    if failed is None:
        return True
    again = explanation_of(failed, lambda _name, text: SourceText(text))
    texts = {edit.text for edit in fix.edits}
    return again is not None and again.finding.expression not in {case.at, *texts}


def _equal(right: Any, offered: Any) -> bool:
    if isinstance(right, torch.Tensor) and isinstance(offered, torch.Tensor):
        return (
            right.shape == offered.shape
            and right.dtype == offered.dtype
            and torch.allclose(right, offered, equal_nan=True)
        )
    if isinstance(right, (tuple, list)) and isinstance(offered, (tuple, list)):
        return len(right) == len(offered) and all(map(_equal, right, offered))
    return (
        bool(type(right) is type(offered) and right == offered)
        if not hasattr(right, "shape")
        else right.shape == offered.shape
    )
