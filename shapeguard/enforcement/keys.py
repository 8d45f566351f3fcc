"""What a verdict depends on, as a key: of a tensor its type, shape and dtype, of anything else its type.

Only where the annotations are pure: the verdict on them follows from the key and from what was bound before.
"""

import ast
import sys
from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from jaxtyping import AbstractArray

from shapeguard.enforcement.hints import Opaque, read_hint
from shapeguard.enforcement.memo import OMITTED
from shapeguard.errors import NotationError
from shapeguard.notation import SymbolicDim, parse_dims

UNKEYED: Any = object()
"""The key of a call of which no verdict can be kept."""

_SCALARS = frozenset({int, float, bool, str, complex, bytes, NoneType})


def is_pure(annotation: Any) -> bool:
    """Whether a verdict on `annotation` follows from the type, shape and dtype of the value.

    >>> is_pure(int | None), is_pure(list[int])
    (True, False)
    """
    if not isinstance(read_hint(annotation), Opaque):
        return True
    origin = get_origin(annotation)
    if origin in (Union, UnionType, tuple):
        return all(is_pure(part) for part in get_args(annotation))
    is_array = isinstance(annotation, type) and origin is None and issubclass(annotation, AbstractArray)
    return is_array and is_pure_array(annotation)


def is_pure_array(annotation: Any) -> bool:
    """Whether the dims hold nothing but names and arithmetic: jaxtyping evaluates whatever is in them."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    known = [getattr(torch, "Tensor", None), getattr(numpy, "ndarray", None)]
    if annotation._skip_instancecheck or not any(annotation.array_type is one for one in known):  # noqa: SLF001
        return False
    try:
        dims = parse_dims(annotation.dim_str)
    except NotationError:
        return False
    return all(is_arithmetic(dim.expression) for dim in dims if isinstance(dim, SymbolicDim))


_ARITHMETIC = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Name, ast.Load, ast.Constant, ast.operator, ast.unaryop,
)  # fmt: skip


def is_arithmetic(expression: str) -> bool:
    """Whether an expression is arithmetic over names; `{…}` is code, and a call may be anything.

    >>> is_arithmetic("2*d+1"), is_arithmetic("{self.n}"), is_arithmetic("f(d)")
    (True, False, False)
    """
    if "{" in expression:
        return False
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(
        isinstance(node, _ARITHMETIC) and not (isinstance(node, ast.Constant) and type(node.value) is not int)
        for node in ast.walk(tree)
    )


arrays: set[type] = set()
"""The types of which shape and dtype count; filled as the libraries are found."""


def key_of(value: Any) -> Any:
    """The key of one value.

    Raises:
        TypeError: a verdict on it cannot stand on its type alone.

    >>> key_of((1, (None, "a")))
    (<class 'int'>, (<class 'NoneType'>, <class 'str'>))
    """
    kind = type(value)
    if kind in arrays:
        return kind, value.shape, value.dtype
    if kind is tuple:
        return tuple(map(key_of, value))
    if kind in _SCALARS or value is OMITTED:
        return kind
    raise TypeError


def keys_of(values: Iterable[Any]) -> Any:
    """The key of several values, or UNKEYED where there is none, or it cannot be hashed."""
    try:
        key = tuple(map(key_of, values))
        hash(key)
    # A symbolic size has no hash, and a nested tensor no shape.
    except Exception:  # noqa: BLE001
        return UNKEYED
    return key
