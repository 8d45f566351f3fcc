"""A rejected call as a Finding and as the error that the caller reads: what was given, which dim, and what bound it."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from jaxtyping import TypeCheckError

from shapeguard.enforcement.annotations import annotation_text, read_call
from shapeguard.enforcement.matching import RESULT, Given, Mismatch, first_mismatch
from shapeguard.notation import SymbolicDim, brief, evaluate
from shapeguard.records import Finding, Operand

MAX_LINES = 40
"""Lines of arguments that one message shows."""

_ATTRIBUTE = "__shapeguard_finding__"


@dataclass(frozen=True, slots=True)
class RejectedCall:
    """A call that the checker rejected. Holds the caller's values: read it, then drop it."""

    function: str
    """Qualified name."""
    signature: inspect.Signature
    """With annotations resolved, as the checker saw them."""
    arguments: dict[str, Any]
    """What was passed, without defaults; under RESULT what was returned, if the body has run."""
    culprit: str | None
    """The parameter that the checker rejected, or RESULT; None where it did not say."""
    fault: str | None = None
    """Type of the exception that the check itself raised, where that is why the call was rejected."""


def violation(call: RejectedCall) -> TypeCheckError:
    """The error to raise for a rejected call, with its Finding; never raises, and holds none of the call's values."""
    try:
        givens = read_call(call.signature, call.arguments)
        finding = explain(call, givens)
        error = TypeCheckError(message_text(finding, givens))
        setattr(error, _ATTRIBUTE, finding)
    # A foreign type may break any step of the analysis; the checker's verdict must reach the caller all the same.
    except Exception:  # noqa: BLE001
        return TypeCheckError(_bare_text(call))
    return error


def finding_of(error: BaseException) -> Finding | None:
    """The Finding that a guard put on the error it raised; None for every other error."""
    finding = getattr(error, _ATTRIBUTE, None)
    return finding if isinstance(finding, Finding) else None


def explain(call: RejectedCall, givens: Sequence[Given]) -> Finding:
    """Why a call was rejected; where the annotations and shapes do not say, what the checker said."""
    mismatch = None if call.fault else first_mismatch(givens)
    # The replay knows less than the checker (a Union, names bound in the body): without agreement it claims nothing.
    if mismatch is not None and call.culprit not in (None, givens[mismatch.operand].parameter):
        mismatch = None
    operands = tuple(Operand(given.label, None, given.spec) for given in givens)
    if mismatch is None:
        message = f"{_subject(call, call.culprit)}: {_unexplained(call, givens)}"
        because = tuple(_not_evaluated(call, givens))
        return Finding("guard-annotation", "error", message, operands=operands, where=call.function, because=because)
    return Finding(
        mismatch.rule,
        "error",
        f"{_subject(call, givens[mismatch.operand].parameter)}: {mismatch.text}",
        operands=operands,
        conflicts=mismatch.conflicts,
        where=call.function,
        because=tuple(_transposition(givens, mismatch)),
    )


def message_text(finding: Finding, givens: Sequence[Given]) -> str:
    """The whole message: why, then each argument beside its annotation, then what may explain it."""
    shown = givens[:MAX_LINES]
    labels = [given.label for given in shown]
    briefs = ["None" if given.spec.type == "NoneType" else brief(given.spec) for given in shown]
    wide, wider = max(map(len, labels), default=0), max(map(len, briefs), default=0)
    lines = [
        f"  {label.ljust(wide)}  {what.ljust(wider)}  {given.annotation}".rstrip()
        for label, what, given in zip(labels, briefs, shown, strict=True)
    ]
    if len(givens) > len(shown):
        lines.append(f"  … and {len(givens) - len(shown)} more")
    return "\n".join([finding.message, *lines, *finding.because])


def _bare_text(call: RejectedCall) -> str:
    """What jaxtyping would say, without the values."""
    if call.culprit == RESULT:
        return f"Type-check error whilst checking the return value of {call.function}."
    text = f"Type-check error whilst checking the parameters of {call.function}."
    if call.culprit is None:
        return text
    return f"{text}\nThe problem arose whilst typechecking parameter '{call.culprit}'."


def _subject(call: RejectedCall, parameter: str | None) -> str:
    name = call.function.rpartition("<locals>.")[2].removesuffix(".__init__")
    if parameter == RESULT:
        return f"return of {name}()"
    # Arguments are checked again when the body has run: it may have resized them.
    late = ", when the body had run" if RESULT in call.arguments else ""
    return f"{name}({parameter or ''}){late}"


def _unexplained(call: RejectedCall, givens: Sequence[Given]) -> str:
    if call.fault is not None:
        return f"checking the annotations raised {call.fault}"
    if call.culprit is None:
        return f"an argument {'or the result ' * (RESULT in call.arguments)}does not satisfy its annotation"
    mine = [given for given in givens if given.parameter == call.culprit]
    if len(mine) == 1:
        given = mine[0]
        what = "None" if given.spec.type == "NoneType" else brief(given.spec)
        found = what if given.label == RESULT else f"{given.label} is {what}, which"
        return f"{found} does not satisfy {given.annotation}"
    signature = call.signature
    hint = signature.return_annotation if call.culprit == RESULT else signature.parameters[call.culprit].annotation
    found = "the result" if call.culprit == RESULT else call.culprit
    return f"{found} does not satisfy {annotation_text(hint)}"


def _not_evaluated(call: RejectedCall, givens: Sequence[Given]) -> Iterator[str]:
    for given in givens:
        if given.parameter != call.culprit:
            continue
        for dim in given.dims or ():
            # With every name at hand: what still has no value is more than arithmetic.
            if isinstance(dim, SymbolicDim) and evaluate(dim.expression, _AnySize()) is None:
                yield f"The dim {dim.expression} of {given.label} is code, which was not run again for this message."


class _AnySize(dict[str, int]):
    def __missing__(self, name: str) -> int:
        return 1


def _transposition(givens: Sequence[Given], mismatch: Mismatch) -> Iterator[str]:
    """A sentence where swapping two dims of the value that was rejected, or else of one that bound a name, fits all."""
    if mismatch.rule != "guard-size":
        return
    for operand in dict.fromkeys((mismatch.operand, *mismatch.sources)):
        swaps = list(_fitting_swaps(givens, operand))
        if len(swaps) == 1:
            first, second = swaps[0]
            label = givens[operand].label
            name = "the result" if label == RESULT else label
            yield f"With dims {first} and {second} swapped, {name} would fit."
        if swaps:
            return


def _fitting_swaps(givens: Sequence[Given], operand: int) -> Iterator[tuple[int, int]]:
    given = givens[operand]
    shape = given.spec.shape or ()
    for first, second in combinations(range(len(shape)), 2):
        if shape[first] == shape[second]:
            continue
        swapped = list(shape)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        trial = list(givens)
        trial[operand] = replace(given, spec=replace(given.spec, shape=tuple(swapped)))
        if first_mismatch(trial) is None and not _has_code(given):
            yield first, second


def _has_code(given: Given) -> bool:
    return any(
        isinstance(dim, SymbolicDim) and evaluate(dim.expression, _AnySize()) is None for dim in given.dims or ()
    )
