"""The value of a target, read without running the user's code."""

import ast
from collections.abc import Collection, Mapping
from typing import Any

from shapeguard.observation.bindings import Target
from shapeguard.tensors import MISSING, is_tensor, static_attribute

_KEYS = (str, int, float, bool, bytes, type(None))


def read_target(
    target: Target, namespace: Mapping[str, Any], *, rebound: Collection[str] = (), keys: Collection[str] = ()
) -> tuple[Target, Any]:
    """The target and its value; of a target that cannot be read for free, the part of it that can.

    `w.data = …` gives `w` and `x[0] = …` gives `x`, since `.data` and `[0]` run aten operations; a property would
    run the user's own code. MISSING where not even the base is there, and where it is among `rebound`: then what it
    is now is not what the target was a part of. A subscript that names one of `keys` is not the one that was bound.

    >>> read_target(ast.parse("cache['k']", mode="eval").body, {"cache": {"k": 3}})[1]
    3
    """
    if isinstance(target, ast.Name):
        return target, namespace.get(target.id, MISSING)
    base = target.value
    if not isinstance(base, (ast.Name, ast.Attribute, ast.Subscript)):
        return target, MISSING
    if rebound and ast.unparse(base) in rebound:
        return target, MISSING
    shown, owner = read_target(base, namespace, rebound=rebound, keys=keys)
    if owner is MISSING or shown is not base:
        return shown, owner
    value = MISSING
    if not is_tensor(owner):
        if isinstance(target, ast.Attribute):
            value = static_attribute(owner, target.attr)
        elif not keys or keys_of(target).isdisjoint(keys):
            value = _item(owner, _key(target.slice, namespace))
    return (shown, owner) if value is MISSING else (target, value)


def keys_of(target: ast.Subscript) -> set[str]:
    """The names that a subscript is worked out from."""
    return {node.id for node in ast.walk(target.slice) if isinstance(node, ast.Name)}


def _key(node: ast.expr, namespace: Mapping[str, Any]) -> Any:
    """The value of a subscript that is a literal or a name of one; anything else would have to be evaluated."""
    match node:
        case ast.Constant():
            key = node.value
        case ast.Name():
            key = namespace.get(node.id, MISSING)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
            key = -value
        case ast.Tuple():
            keys = tuple(_key(element, namespace) for element in node.elts)
            return MISSING if any(part is MISSING for part in keys) else keys
        case _:
            return MISSING
    return key if type(key) in _KEYS else MISSING


def _item(owner: Any, key: Any) -> Any:
    """An entry of a builtin container, through the builtin's own method and only where the class kept that method."""
    kind = type(owner)
    if key is MISSING:
        return MISSING
    if issubclass(kind, dict) and kind.__getitem__ is dict.__getitem__:
        return dict.get(owner, key, MISSING)
    if issubclass(kind, list) and kind.__getitem__ is list.__getitem__ and type(key) is int:
        length = list.__len__(owner)
        return list.__getitem__(owner, key) if -length <= key < length else MISSING
    return MISSING
