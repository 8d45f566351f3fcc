"""The names of a comprehension, which from 3.12 on are gone from the frame when its exception is caught.

Such a comprehension runs in the frame around it, which gets its own values of those names back. So the element that
failed is looked for: the first on which the expression fails, on copies, as it did.
"""

import ast
from collections.abc import Iterator
from itertools import islice
from typing import Any

from shapeguard.explanation.bounds import Deadline, Refused
from shapeguard.explanation.copies import Copies, laboratory
from shapeguard.explanation.failure import Failure
from shapeguard.explanation.trust import is_plain_tensor
from shapeguard.tensors import MISSING

MAX_ELEMENTS = 64
_FRAMES = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<lambda>")
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp


def comprehension_names(failure: Failure, deadline: Deadline) -> dict[str, Any]:
    """Values of the names that comprehensions around the expression bind; MISSING for those that are not known."""
    around = _inlined(failure)
    if not around:
        return {}
    names = {name: MISSING for comp in around for name in _targets(comp)}
    if len(around) == 1 and len(around[0].generators) == 1 and not around[0].generators[0].ifs:
        found = _failing_element(failure, around[0].generators[0], names, deadline)
        names.update(found)
    return names


def _inlined(failure: Failure) -> list[_Comprehension]:
    if failure.frame.f_code.co_name in _FRAMES:
        return []
    found: list[_Comprehension] = []
    for node, child in zip(failure.path, failure.path[1:], strict=False):
        if isinstance(node, (ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef)):
            found.clear()
        # The first iterable is evaluated outside of the comprehension.
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp)) and child is not node.generators[0]:
            found.append(node)
    return found


def _targets(comprehension: _Comprehension) -> Iterator[str]:
    for generator in comprehension.generators:
        for node in ast.walk(generator.target):
            if isinstance(node, ast.Name):
                yield node.id


def _failing_element(
    failure: Failure, generator: ast.comprehension, names: dict[str, Any], deadline: Deadline
) -> dict[str, Any]:
    local = {**failure.local(), **names}
    try:
        with laboratory():
            elements = _iterated(Copies(local, failure.frame.f_globals, deadline), generator.iter)
            for element in islice(elements, MAX_ELEMENTS):
                reader = Copies(local, failure.frame.f_globals, deadline)
                reader.bind(generator.target, element)
                if _fails_alike(failure, reader):
                    return {name: reader.local[name] for name in names}
    # Where the search cannot be made, the names stay unknown.
    except Exception:  # noqa: BLE001
        return {}
    return {}


def _iterated(reader: Copies, iterable: ast.expr) -> Iterator[Any]:
    value = reader.value(iterable)
    # The views and iterators are those of containers that the reader has copied.
    if is_plain_tensor(value) or type(value).__module__ == "builtins":
        return iter(value)
    raise Refused(type(value).__name__)


def _fails_alike(failure: Failure, reader: Copies) -> bool:
    try:
        reader.value(failure.node)
    except Refused:
        raise
    except Exception as error:  # noqa: BLE001  what it raises is the question
        return type(error) is type(failure.error) and str(error) == str(failure.error)
    return False
