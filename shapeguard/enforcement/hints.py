"""What generated checks can decide about an annotation: everything else is left to the real checkers."""

import inspect
import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from jaxtyping import AbstractArray, Shaped

from shapeguard.errors import NotationError
from shapeguard.notation import AnonymousDim, AnonymousVariadicDim, Dim, FixedDim, NamedDim, parse_dims

Library: TypeAlias = Literal["torch", "numpy"]


@dataclass(frozen=True, slots=True)
class Anything:
    """No annotation, or Any: nothing is checked."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """None."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A class."""

    kind: type
    by_type: bool
    """Whether only the class itself is decided here: `isinstance` would run code of its metaclass."""


@dataclass(frozen=True, slots=True)
class Array:
    """`Float[Tensor, "b d"]` with dims that are fixed, named or anonymous, `...` among them."""

    library: Library
    dims: tuple[Dim, ...]
    dtypes: frozenset[Any] | None
    """Of torch: dtypes; of numpy: scalar types; None: every dtype."""


@dataclass(frozen=True, slots=True)
class Maybe:
    """`X | None`."""

    inner: "Hint"


@dataclass(frozen=True, slots=True)
class Items:
    """`tuple[X, Y]`."""

    items: tuple["Hint", ...]


@dataclass(frozen=True, slots=True)
class Opaque:
    """What only the real checkers decide."""


Hint: TypeAlias = Anything | Nothing | Instance | Array | Maybe | Items | Opaque

OPAQUE = Opaque()

_ANY_DTYPE = vars(Shaped)["dtypes"]


def read_hint(annotation: Any) -> Hint:
    """What of `annotation` can be decided without the real checkers.

    >>> read_hint(int | None)
    Maybe(inner=Instance(kind=<class 'int'>, by_type=False))
    >>> read_hint(list[int])
    Opaque()
    """
    if annotation is inspect.Parameter.empty or annotation is Any:
        return Anything()
    if annotation is None or annotation is NoneType:
        return Nothing()
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return _read_union(get_args(annotation))
    if origin is tuple:
        items = tuple(read_hint(part) for part in get_args(annotation))
        # A tuple of any length ends in an Ellipsis, which reads as opaque.
        return Items(items) if items and not any(isinstance(item, Opaque) for item in items) else OPAQUE
    if origin is None and isinstance(annotation, type):
        return _read_array(annotation) if issubclass(annotation, AbstractArray) else _read_class(annotation)
    return OPAQUE


def _read_union(members: tuple[Any, ...]) -> Hint:
    others = [member for member in members if member is not NoneType]
    if len(others) != 1 or len(others) == len(members):
        return OPAQUE
    inner = read_hint(others[0])
    # Items of a tuple that was given up half-way leave names bound: a union of more than one check is not for here.
    return Maybe(inner) if isinstance(inner, (Instance, Array)) else OPAQUE


def _read_class(kind: type) -> Hint:
    if kind is object:
        return Anything()
    # Protocols and other classes with a say of their own; NewType and the like are no classes.
    if getattr(kind, "_is_protocol", False) or issubclass(kind, type):
        return OPAQUE
    return Instance(kind, by_type=type(kind) is not type)


def _read_array(annotation: Any) -> Hint:
    library = _library(annotation.array_type)
    if library is None or annotation._skip_instancecheck:  # noqa: SLF001  set by jaxtyping on what it no longer checks
        return OPAQUE
    try:
        dims = parse_dims(annotation.dim_str)
    except NotationError:
        return OPAQUE
    if not all(_is_plain(dim) for dim in dims):
        return OPAQUE
    if annotation.dtypes is _ANY_DTYPE:
        return Array(library, dims, None)
    try:
        return Array(library, dims, _admitted(library, tuple(annotation.dtypes)))
    # A foreign kind of pattern among the dtypes.
    except TypeError:
        return OPAQUE


def _library(array_type: Any) -> Library | None:
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and array_type is getattr(torch, "Tensor", None):
        return "torch"
    if numpy is not None and array_type is getattr(numpy, "ndarray", None):
        return "numpy"
    return None


def _is_plain(dim: Dim) -> bool:
    match dim:
        case FixedDim(broadcastable=False) | NamedDim(broadcastable=False, per_leaf=False):
            return True
        case AnonymousDim() | AnonymousVariadicDim():
            return True
        case _:
            return False


@lru_cache(maxsize=256)
def _admitted(library: Library, patterns: tuple[Any, ...]) -> frozenset[Any]:
    """The dtypes that jaxtyping takes for one of `patterns`: it compares their names."""
    if not all(isinstance(pattern, (str, re.Pattern)) for pattern in patterns):
        raise TypeError
    names = _torch_dtypes() if library == "torch" else _numpy_scalar_types()
    return frozenset(dtype for dtype, name in names if any(_matches(pattern, name) for pattern in patterns))


def _matches(pattern: "str | re.Pattern[str]", name: str) -> bool:
    return name == pattern if isinstance(pattern, str) else pattern.match(name) is not None


def _torch_dtypes() -> list[tuple[Any, str]]:
    torch = sys.modules["torch"]
    dtypes = {value for value in vars(torch).values() if isinstance(value, torch.dtype)}
    return [(dtype, repr(dtype).rsplit(".", 1)[-1]) for dtype in dtypes]


def _numpy_scalar_types() -> list[tuple[Any, str]]:
    numpy = sys.modules["numpy"]
    # Without void: jaxtyping reads a structured dtype in another way.
    kinds = {kind for kind in numpy.sctypeDict.values() if not issubclass(kind, numpy.void)}
    return [(kind, kind.__name__) for kind in kinds]
