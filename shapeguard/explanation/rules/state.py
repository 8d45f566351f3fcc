"""load_state_dict: which entry does not fit, and by which dim."""

import ast
import re
from collections import OrderedDict

from shapeguard.explanation.diagnosis import Candidate, Diagnosis, Rules, instead, rule, sizes_text
from shapeguard.explanation.layers import is_module
from shapeguard.explanation.operation import Argument, Operation
from shapeguard.tensors import MISSING, module_entry

_DICTS = (dict, OrderedDict)


def _load(operation: Operation) -> Diagnosis | None:
    node = operation.node
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    model, given = operation.reader.read(node.func.value), operation.argument(0, "state_dict")
    if not is_module(model) or given is None:
        return None
    name = operation.text(node.func.value)
    sizes = re.findall(r"size mismatch for ([\w.]+):", operation.message)
    if sizes and type(given.value) in _DICTS:
        return _size(operation, name, model, given, sizes[0])
    return _keys(operation, name, given)


def _size(operation: Operation, name: str, model: object, given: Argument, key: str) -> Diagnosis | None:
    owner: object = model
    for part in key.split("."):
        owner = module_entry(owner, part)
    entry = Argument(f"{given.text}[{key!r}]", dict.get(given.value, key, MISSING))
    mine = Argument(f"{name}.{key}", owner)
    if not mine.is_tensor or not entry.is_tensor or mine.shape == entry.shape:
        return None
    dim = next((d for d in range(mine.ndim) if mine.ndim == entry.ndim and mine.shape[d] != entry.shape[d]), None)
    conflicts = tuple(
        operation.conflict(a, dim, "size", a.shape[dim])
        if dim is not None
        else operation.conflict(a, None, "ndim", a.ndim)
        for a in (entry, mine)
    )
    return Diagnosis(
        "state-dict-size",
        f"{entry.text} is {sizes_text(entry.shape)}, {mine.text} is {sizes_text(mine.shape)}",
        conflicts,
    )


def _keys(operation: Operation, name: str, given: Argument) -> Diagnosis | None:
    missing = re.findall(
        r'"([\w.]+)"', (re.search(r"Missing key\(s\) in state_dict: (.*)", operation.message) or [""])[0]
    )
    unexpected = re.findall(
        r'"([\w.]+)"', (re.search(r"Unexpected key\(s\) in state_dict: (.*)", operation.message) or [""])[0]
    )
    if not missing and not unexpected:
        return None
    because: tuple[str, ...] = ()
    candidates: list[Candidate] = []
    prefix = next((key[: -len(want)] for key in unexpected for want in missing if key.endswith("." + want)), "")
    if prefix:
        because = (f"Every entry begins with {prefix!r}, which {name} does not have.",)
    elif type(given.value) in _DICTS:
        inner = next(
            (
                key
                for key, value in dict.items(given.value)
                if type(value) in _DICTS and missing and missing[0] in value
            ),
            None,
        )
        if inner is not None:
            because = (f"The entries are in {given.text}[{inner!r}].",)
            candidates += instead(given, f"{given.text}[{inner!r}]")
    what = f"{given.text} has no {missing[0]}" if missing else f"{name} has no {unexpected[0]}"
    return Diagnosis(
        "state-dict-keys",
        what,
        (operation.conflict(given, None, "attribute", (missing or unexpected)[0]),),
        because,
        candidates,
    )


RULES: Rules = (rule("load_state_dict", _load),)
