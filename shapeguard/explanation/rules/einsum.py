"""einsum: letters against dims, one letter with two sizes."""

import ast
from collections.abc import Iterator
from itertools import permutations

from shapeguard.explanation.diagnosis import Candidate, Diagnosis, Rules, counted, instead, rule
from shapeguard.explanation.operation import Argument, Operation


def _einsum(operation: Operation) -> Diagnosis | None:
    equation = operation.argument(0, "equation")
    if equation is None or type(equation.value) is not str:
        return None
    tensors = operation.args[1:]
    if len(tensors) == 1 and not tensors[0].is_tensor:
        tensors = [argument for argument in operation.operands if argument.is_tensor]
    written = equation.value.replace(" ", "")
    inputs, arrow, output = written.partition("->")
    terms = inputs.split(",")
    if not all(tensor.is_tensor for tensor in tensors):
        return None
    if len(terms) != len(tensors):
        return Diagnosis(
            "einsum-operands",
            f"the equation {written} names {counted(len(terms), 'operand')}, {len(tensors)} are given",
            tuple(operation.conflict(tensor, None, "ndim", tensor.ndim) for tensor in tensors[-1:]),
        )
    for term, tensor in zip(terms, tensors, strict=True):
        if "..." not in term and len(term) != tensor.ndim:
            candidates = _batched(equation, terms, tensors, arrow, output)
            return Diagnosis(
                "einsum-ndim",
                f"{tensor.text} has {counted(tensor.ndim)}, its term {term} names {len(term)}",
                (operation.conflict(tensor, None, "ndim", tensor.ndim),),
                candidates=candidates,
            )
    if any("..." in term for term in terms):
        return None
    return _sizes(operation, equation, terms, tensors, arrow + output) or _unknown_output(
        operation, terms, output, tensors
    )


def _sizes(
    operation: Operation, equation: Argument, terms: list[str], tensors: list[Argument], rest: str
) -> Diagnosis | None:
    seen: dict[str, tuple[Argument, int]] = {}
    for term, tensor in zip(terms, tensors, strict=True):
        for dim, letter in enumerate(term):
            size = tensor.shape[dim]
            other, place = seen.setdefault(letter, (tensor, dim))
            if size != other.shape[place] and 1 not in (size, other.shape[place]):
                return Diagnosis(
                    "einsum-size",
                    f"{letter} is {other.shape[place]} in dim {place} of {other.text}, {size} in dim {dim} of {tensor.text}",
                    (
                        operation.conflict(other, place, "size", other.shape[place]),
                        operation.conflict(tensor, dim, "size", size),
                    ),
                    candidates=tuple(_reordered(equation, terms, tensors, rest)),
                )
    return None


def _reordered(equation: Argument, terms: list[str], tensors: list[Argument], rest: str) -> Iterator[Candidate]:
    """One term with its letters in another order, so that every letter has one size."""
    for place in range(len(terms) - 1, -1, -1):
        if not 1 < len(terms[place]) <= 4 or len(set(terms[place])) < len(terms[place]):
            continue
        ways = sorted(
            permutations(terms[place]), key=lambda way: sum(a != b for a, b in zip(way, terms[place], strict=True))
        )
        for way in ways[1:]:
            changed = [*terms[:place], "".join(way), *terms[place + 1 :]]
            if _agrees(changed, tensors):
                yield from _written(equation, ",".join(changed) + rest)
                break


def _agrees(terms: list[str], tensors: list[Argument]) -> bool:
    sizes: dict[str, int] = {}
    return all(
        sizes.setdefault(letter, size) == size
        for term, tensor in zip(terms, tensors, strict=True)
        for letter, size in zip(term, tensor.shape, strict=True)
    )


def _written(equation: Argument, text: str) -> list[Candidate]:
    if not isinstance(equation.node, ast.Constant):
        return []
    spaced = text.replace(",", ", ").replace("->", " -> ") if " " in str(equation.value) else text
    quote = equation.text[:1] if equation.text[:1] in "'\"" else '"'
    return instead(equation, f"{quote}{spaced}{quote}", f"the equation {spaced}")


def _batched(equation: Argument, terms: list[str], tensors: list[Argument], arrow: str, output: str) -> list[Candidate]:
    """A batch dim that the equation forgot, or names without there being one."""
    extra = [tensor.ndim - len(term) for term, tensor in zip(terms, tensors, strict=True)]
    letter = next(sign for sign in "bnzyxw" if all(sign not in term for term in terms))
    if arrow and set(extra) <= {0, 1} and 1 in extra:
        changed = [letter * more + term for more, term in zip(extra, terms, strict=True)]
        if _agrees(changed, tensors):
            return _written(equation, f"{','.join(changed)}{arrow}{letter}{output}")
    common = set(terms[0]).intersection(*terms[1:]) if len(terms) > 1 else set()
    if set(extra) <= {0, -1} and -1 in extra and arrow:
        for shared in sorted(common | set("".join(terms)), key="".join(terms).index):
            changed = [term.replace(shared, "") if more else term for more, term in zip(extra, terms, strict=True)]
            kept = output if any(shared in term for term in changed) else output.replace(shared, "")
            if all(len(term) == tensor.ndim for term, tensor in zip(changed, tensors, strict=True)) and _agrees(
                changed, tensors
            ):
                return _written(equation, f"{','.join(changed)}{arrow}{kept}")
    return []


def _unknown_output(operation: Operation, terms: list[str], output: str, tensors: list[Argument]) -> Diagnosis | None:
    missing = [letter for letter in output if letter not in "".join(terms)]
    if not missing or not tensors:
        return None
    return Diagnosis(
        "einsum-output",
        f"{missing[0]} of the output is in no term",
        (operation.conflict(tensors[0], None, "attribute", missing[0]),),
    )


RULES: Rules = (rule("einsum", _einsum),)
