"""What a rule says of a failed operation: the clash in one sentence, as records, and what might be meant instead."""

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shapeguard.explanation.operation import Argument, Operation
from shapeguard.records import Conflict


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change of the text that may be what was meant. It is offered only if it ran."""

    title: str
    edits: tuple[tuple[ast.AST, str], ...]
    replay: Callable[[Any], Any] | None = None
    """How to run it where the failed expression cannot simply be evaluated again; takes the reader of copies."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The answer of one rule."""

    rule: str
    message: str
    """One sentence, without the expression in front."""
    conflicts: tuple[Conflict, ...] = ()
    because: tuple[str, ...] = ()
    candidates: Sequence[Candidate] = field(default=())
    """The most likely first."""
    repeats: bool = True
    """Whether the expression itself fails again on copies; not so where its truth was asked for."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table of rules."""

    operations: frozenset[str]
    diagnose: Callable[[Operation], Diagnosis | None]


Rules: TypeAlias = tuple[Rule, ...]


def rule(names: str, diagnose: Callable[[Operation], Diagnosis | None]) -> Rule:
    """A rule for the operations of these names, separated by spaces."""
    return Rule(frozenset(names.split()), diagnose)


def instead(argument: Argument, text: str, title: str = "") -> list[Candidate]:
    """`text` in place of an argument; nothing where the argument is not written as such."""
    if argument.node is None:
        return []
    return [Candidate(title or f"{text} instead of {argument.text}", ((argument.node, text),))]


def together(pairs: Iterable[tuple[Argument, str]], title: str) -> list[Candidate]:
    """Several arguments changed at once; nothing where one of them is not written as such."""
    edits = [(argument.node, text) for argument, text in pairs]
    return (
        [Candidate(title, tuple((node, text) for node, text in edits if node is not None))]
        if all(node is not None for node, _ in edits)
        else []
    )


def rewritten(operation: Operation, text: str, title: str) -> list[Candidate]:
    """`text` in place of the whole expression."""
    return [Candidate(title, ((operation.node, text),))]


def grouped(argument: Argument) -> str:
    """The argument's text as it may stand before a dot or an operator.

    >>> grouped(Argument("a + b", None, ast.parse("a + b", mode="eval").body))
    '(a + b)'
    """
    simple = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.List, ast.Tuple, ast.ListComp)
    if argument.node is None or isinstance(argument.node, simple):
        return argument.text
    return f"({argument.text})"


def untransposed(node: ast.AST | None) -> ast.expr | None:
    """What `node` transposes: x of `x.T`, `x.mT`, `x.t()`, `x.transpose(…)`; None for anything else."""
    match node:
        case ast.Attribute(value=inner, attr="T" | "mT"):
            return inner
        case ast.Call(func=ast.Attribute(value=inner, attr="t"), args=[]):
            return inner
        case ast.Call(func=ast.Attribute(value=inner, attr="transpose" | "swapaxes" | "swapdims")):
            return inner
    return None


def sizes_text(shape: Sequence[int]) -> str:
    """`[32, 64]`."""
    return f"[{', '.join(map(str, shape))}]"


def counted(count: int, noun: str = "dim") -> str:
    """`1 dim`, `3 dims`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
