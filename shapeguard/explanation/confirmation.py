"""A candidate is believed when it ran: the changed expression, its statement, and the pure statements after it."""

import ast
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from shapeguard.explanation.bounds import Deadline, Refused, TooLarge
from shapeguard.explanation.copies import Copies, StandIns, laboratory
from shapeguard.explanation.declared import fits_annotation
from shapeguard.explanation.diagnosis import Candidate
from shapeguard.explanation.failure import Failure
from shapeguard.explanation.texts import edited
from shapeguard.records import Spec
from shapeguard.tensors import describe

MAX_LATER = 12
"""Statements after the failed one that are tried with what a candidate gives."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a candidate fared."""

    candidate: Candidate
    result: Spec
    confirmed: str
    later_fails: bool
    """Whether a later statement that can be run fails with the result."""
    misfits: bool
    """Whether the result contradicts what the target is declared to be."""


def unit_of(failure: Failure) -> ast.AST:
    """What is run again and shown: the failed expression, or its statement where a part alone has no value."""
    node = failure.node
    around = failure.path[-2]
    if isinstance(node, ast.Attribute) and isinstance(around, ast.Call) and around.func is node:
        return around
    context = getattr(node, "ctx", None)
    if isinstance(node, ast.expr) and not isinstance(context, (ast.Store, ast.Del)):
        return node
    return failure.statement() or node


def contradicts(failure: Failure, deadline: Deadline) -> bool:
    """Whether the failed expression, run again on copies, does not fail as it did: the names hold other values by now.

    An exception may be explained long after it was caught. Where the expression cannot be run again, nothing is said.
    """
    reader = Copies(failure.local(), failure.frame.f_globals, deadline)
    unit = unit_of(failure)
    text = edited(failure.text, unit, ())
    try:
        with laboratory():
            if isinstance(unit, ast.stmt):
                for statement in _parsed(text, unit):
                    reader.run(statement)
            else:
                reader.value(ast.parse(f"({text}\n)", mode="eval").body)
    except Refused:
        return False
    except Exception as error:  # noqa: BLE001  what it raises is the question
        return type(error) is not type(failure.error) or str(error) != str(failure.error)
    return True


def attempt(failure: Failure, candidate: Candidate, deadline: Deadline) -> Trial | None:
    """Run one candidate on copies; None where it failed, or could not be run."""
    for kind in (Copies, StandIns):
        reader = kind(failure.local(), failure.frame.f_globals, deadline)
        try:
            with laboratory():
                return _run(failure, candidate, reader)
        except TooLarge:
            continue
        # A candidate that raises, of whatever type, is no repair.
        except Exception:  # noqa: BLE001
            return None
    return None


def _run(failure: Failure, candidate: Candidate, reader: Copies) -> Trial:
    if candidate.replay is not None:
        value = candidate.replay(reader)
        return Trial(candidate, _spec(value, reader), _confirmed(reader), later_fails=False, misfits=False)
    _replay_earlier(failure, candidate, reader)
    unit = _unit(failure, candidate)
    text = edited(failure.text, unit, candidate.edits)
    if isinstance(unit, ast.stmt):
        value = _run_statement(text, unit, reader)
    else:
        value = reader.value(ast.parse(f"({text}\n)", mode="eval").body)
    spec = _spec(value, reader)
    later = _later_fails(failure, candidate, reader)
    return Trial(candidate, spec, _confirmed(reader), later, not fits_annotation(failure, spec))


def _unit(failure: Failure, candidate: Candidate) -> ast.AST:
    statement = failure.statement()
    rewrites = statement is not None and any(node is statement for node, _ in candidate.edits)
    return statement if rewrites and statement is not None else unit_of(failure)


def _run_statement(text: str, unit: ast.stmt, reader: Copies) -> Any:
    value: Any = None
    for statement in _parsed(text, unit):
        if isinstance(statement, ast.With):
            for inner in statement.body:
                reader.run(inner)
                statement = inner  # noqa: PLW2901  its target is what the statement gives
        else:
            reader.run(statement)
        target = getattr(statement, "target", None) or next(iter(getattr(statement, "targets", [])), None)
        while isinstance(target, ast.Subscript):
            target = target.value
        shown = target if target is not None else getattr(statement, "value", None)
        value = None if shown is None else reader.value(ast.parse(ast.unparse(shown), mode="eval").body)
    return value


def _parsed(text: str, statement: ast.AST) -> list[ast.stmt]:
    """The statements in the text that stands at `statement`, whose first line is without its indentation."""
    indentation = " " * getattr(statement, "col_offset", 0)
    lines = text.split("\n")
    return ast.parse("\n".join([lines[0], *(line.removeprefix(indentation) for line in lines[1:])])).body


def _replay_earlier(failure: Failure, candidate: Candidate, reader: Copies) -> None:
    """Where a candidate changes an earlier statement of the block, run from that one on."""
    block = next(failure.siblings(), [])
    statement = failure.statement()
    if statement not in block:
        return
    last = block.index(statement)
    first = next((i for i in range(last) if _holds(block[i], candidate)), last)
    rebound: set[str] = set()
    for earlier in block[first:last]:
        # A name that is bound again further down had another value here.
        if _names(earlier, ast.Load) & (_later_bound(block[first:last]) - rebound):
            message = "names changed since"
            raise Refused(message)
        with suppress(Refused):
            for changed in _parsed(edited(failure.text, earlier, candidate.edits), earlier):
                reader.run(changed)
        rebound |= _names(earlier, ast.Store)


def _later_bound(statements: list[ast.stmt]) -> set[str]:
    return set().union(*(_names(statement, ast.Store) for statement in statements))


def _holds(statement: ast.stmt, candidate: Candidate) -> bool:
    inside = set(map(id, ast.walk(statement)))
    return any(id(node) in inside for node, _ in candidate.edits)


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, context)}


def _later_fails(failure: Failure, candidate: Candidate, reader: Copies) -> bool:
    """Whether a later statement fails that would run; one that cannot be run is passed over, with what it binds."""
    for statement in _later(failure, candidate):
        text = edited(failure.text, statement, candidate.edits)
        try:
            for changed in _parsed(text, statement):
                reader.run(changed)
        except Refused:
            for name in _names(statement, ast.Store):
                reader.local.pop(name, None)
        except Exception:
            if statement is failure.statement():
                # What the expression stands in refuses its result: it ran, but it is not what was meant.
                raise
            return True
    return False


def _later(failure: Failure, candidate: Candidate) -> Iterator[ast.stmt]:
    statement = failure.statement()
    block = next(failure.siblings(), [])
    if statement in block:
        start = block.index(statement)
        if not isinstance(statement, (ast.For, ast.While, ast.If, ast.With, ast.Try)):
            start += isinstance(_unit(failure, candidate), ast.stmt)
            yield from block[start : start + 1 + MAX_LATER]


def _spec(value: Any, reader: Copies) -> Spec:
    spec = replace(describe(value), requires_grad=None, grad_fn=None, is_leaf=None)
    if isinstance(reader, StandIns) and spec.shape is not None:
        shape = reader.original(tuple(size for size in spec.shape if isinstance(size, int)))
        if shape is None:
            message = "a size that no operand has"
            raise Refused(message)
        device = next(iter(reader.devices)) if len(reader.devices) == 1 else spec.device
        return replace(spec, shape=shape, nbytes=None, device=device)
    return spec


def _confirmed(reader: Copies) -> str:
    return "abstract" if isinstance(reader, StandIns) else "real"


def attempts(failure: Failure, candidates: Iterable[Candidate], deadline: Deadline, enough: int) -> list[Trial]:
    """The trials of the candidates that ran, until there are enough or no time is left."""
    seen: set[tuple[str, ...]] = set()
    trials: list[Trial] = []
    for candidate in candidates:
        key = tuple(
            sorted(
                f"{getattr(node, 'lineno', 0)}:{getattr(node, 'col_offset', 0)}:{text}"
                for node, text in candidate.edits
            )
        )
        if key in seen:
            continue
        seen.add(key)
        if deadline.is_over() or len(trials) >= enough:
            break
        trial = attempt(failure, candidate, deadline)
        if trial is not None:
            trials.append(trial)
    return trials
