"""From an exception to a Finding: locate, name the clash, run repairs, rank them."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from shapeguard.explanation.bounds import Deadline
from shapeguard.explanation.comprehensions import comprehension_names
from shapeguard.explanation.confirmation import Trial, attempts, contradicts, unit_of
from shapeguard.explanation.copies import Beside, laboratory
from shapeguard.explanation.diagnosis import Diagnosis
from shapeguard.explanation.failure import Failure, locate
from shapeguard.explanation.operation import Operation, operand_record, operation_of, shortened
from shapeguard.explanation.rules import RULES
from shapeguard.explanation.texts import edited
from shapeguard.records import Edit, Finding, Fix, Span

SECONDS = 0.2
MAX_FIXES = 3
MAX_TRIALS = 6
MAX_OPERANDS = 8
_KINDS = (RuntimeError, TypeError, ValueError, IndexError, AttributeError, AssertionError, NotImplementedError)


class Text(Protocol):
    """What turns nodes into spans of the text as the user wrote it."""

    def span(self, node: ast.AST) -> Span:
        """The range of `node`."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A Finding, and the source that its spans are in."""

    finding: Finding
    filename: str
    text: str


def explanation_of(error: BaseException, text_of: Callable[[str, str], Text]) -> Explanation | None:
    """Why a tensor operation raised `error`; None where the traceback does not say enough.

    `text_of(filename, source)` places nodes of a source. Runs no code of the user's; bounded in time and memory.
    """
    # The text of an exception of the user's own class is code of theirs.
    if (
        not isinstance(error, _KINDS)
        or isinstance(error, RecursionError)
        or not type(error).__module__.startswith(("builtins", "torch"))
    ):
        return None
    failure = locate(error)
    if failure is None or (isinstance(error, AssertionError) and not failure.inner):
        return None
    deadline = Deadline(SECONDS)
    failure = replace(failure, bindings=comprehension_names(failure, deadline))
    with laboratory(grad=True):
        operation = operation_of(failure, Beside(failure.local(), failure.frame.f_globals, deadline))
        diagnosis = diagnosis_of(operation)
    if diagnosis is None and not operation.operands:
        return None
    if diagnosis is not None and _is_of_values(diagnosis) and contradicts(failure, deadline):
        return None
    trials = [] if diagnosis is None else ranked(attempts(failure, diagnosis.candidates, deadline, MAX_TRIALS))
    span = text_of(failure.filename, failure.text).span
    finding = _finding(operation, diagnosis, trials, span)
    return Explanation(finding, failure.filename, failure.text)


def diagnosis_of(operation: Operation) -> Diagnosis | None:
    """What the first rule says that knows the failure."""
    for rule in RULES:
        if operation.name in rule.operations or not rule.operations:
            count = len(operation.operands)
            try:
                diagnosis = rule.diagnose(operation)
            # A rule meets values that nobody foresaw; the next one may know better.
            except Exception:  # noqa: BLE001
                diagnosis = None
            if diagnosis is not None:
                return diagnosis
            del operation.operands[count:]
    return None


def _is_of_values(diagnosis: Diagnosis) -> bool:
    """Whether the failure depends on sizes, dtypes and elements alone, so that it must repeat itself on copies."""
    return diagnosis.repeats and {conflict.what for conflict in diagnosis.conflicts} <= {
        "size",
        "ndim",
        "numel",
        "dtype",
        "index",
        "value",
    }


def ranked(trials: list[Trial]) -> list[Trial]:
    """The best first: what fits the rest of the program, then what people mostly mean, as the rules order it."""
    best = [trial for trial in trials if not trial.later_fails and not trial.misfits]
    second = [trial for trial in trials if not trial.later_fails and trial.misfits]
    return (best or second or trials)[:MAX_FIXES]


def _finding(
    operation: Operation, diagnosis: Diagnosis | None, trials: list[Trial], span: Callable[[ast.AST], Span]
) -> Finding:
    failure = operation.failure
    unit = unit_of(failure)
    expression = shortened(edited(failure.text, failure.node, ()))
    said = (str(failure.error).splitlines() or [""])[0]
    message = shortened(said, 200) if diagnosis is None else diagnosis.message
    where = None if operation.layer is None else operation.layer.label
    return Finding(
        "unexplained" if diagnosis is None else diagnosis.rule,
        "error",
        f"{expression}: {message}",
        span(failure.node),
        expression,
        tuple(operand_record(operand, span) for operand in operation.operands[:MAX_OPERANDS]),
        () if diagnosis is None else tuple(c for c in diagnosis.conflicts if c.operand < MAX_OPERANDS),
        tuple(_fix(failure, unit, trial, span) for trial in trials),
        where,
        () if diagnosis is None else diagnosis.because,
    )


def _fix(failure: Failure, unit: ast.AST, trial: Trial, span: Callable[[ast.AST], Span]) -> Fix:
    inside = set(map(id, ast.walk(unit)))
    mine = [(node, text) for node, text in trial.candidate.edits if id(node) in inside]
    edits = [Edit(span(unit), edited(failure.text, unit, mine))] if mine else []
    edits += [Edit(span(node), text) for node, text in trial.candidate.edits if id(node) not in inside]
    return Fix(trial.candidate.title, tuple(edits), trial.result, trial.confirmed)
