"""Reads the annotations of a call and the values given for them into records that hold no value."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from jaxtyping import AbstractArray

from shapeguard.enforcement.contracts import broken_contract, contract_text
from shapeguard.enforcement.matching import RESULT, Given
from shapeguard.errors import NotationError
from shapeguard.notation import Dim, NamedDim, VariadicDim, parse_dims
from shapeguard.tensors import describe

MAX_ANNOTATION = 120

_NOTHING: Any = inspect.Parameter.empty
_EXOTIC_DTYPE = re.compile(r"u?int[24]|float[48]_.*|bool_")


def read_call(signature: inspect.Signature, arguments: Mapping[str, Any]) -> tuple[Given, ...]:
    """What was given for each parameter, in the order in which the checker takes them, and the result if there is one.

    `arguments` holds what the caller passed, without defaults, and under RESULT what the function returned.
    """
    return tuple(_givens(signature, arguments))


def _givens(signature: inspect.Signature, arguments: Mapping[str, Any]) -> Iterator[Given]:
    for position, parameter in enumerate(signature.parameters.values()):
        name, hint = parameter.name, parameter.annotation
        if name not in arguments or (position == 0 and name in ("self", "cls") and _is_open(hint)):
            continue
        value = arguments[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            for index, item in enumerate(value):
                yield from _read(name, f"{name}[{index}]", item, hint)
        elif parameter.kind is parameter.VAR_KEYWORD:
            for key, item in value.items():
                yield from _read(name, key, item, hint)
        else:
            yield from _read(name, name, value, hint)
    if RESULT in arguments:
        yield from _read(RESULT, RESULT, arguments[RESULT], signature.return_annotation)


def _is_open(hint: Any) -> bool:
    return hint is _NOTHING or hint is Any


def _read(parameter: str, label: str, value: object, hint: Any) -> Iterator[Given]:
    text = annotation_text(hint)
    inner, contracts = _narrowed(hint, value)
    items = _items(inner, value)
    if is_array_annotation(inner):
        yield _with_contracts(_read_array(parameter, label, value, inner, text), contracts, value)
    elif items:
        for index, (item, item_hint) in enumerate(items):
            yield from _read(parameter, f"{label}[{index}]", item, item_hint)
    else:
        wrong = None if _admits_type(inner, value) else "type"
        may_bind = frozenset(() if value is None else _names(inner))
        given = Given(parameter, label, describe(value), text, wrong=wrong, may_bind=may_bind)
        yield _with_contracts(given, contracts, value)


def _items(hint: Any, value: object) -> list[tuple[Any, Any]]:
    """The items of a tuple or list that are checked one by one, each with its annotation."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is tuple and Ellipsis not in parts:
        same = isinstance(value, tuple) and len(value) == len(parts)
        return list(zip(value, parts, strict=True)) if same and isinstance(value, tuple) else []
    if origin in (list, tuple) and isinstance(value, origin) and is_array_annotation(_narrowed(parts[0], value)[0]):
        return [(item, parts[0]) for item in value]
    return []


def _narrowed(hint: Any, value: object) -> tuple[Any, tuple[Any, ...]]:
    """What is left of Annotated and Optional, if that alone decides about `value`, and what was said in Annotated."""
    contracts: tuple[Any, ...] = ()
    while True:
        if get_origin(hint) is Annotated:
            contracts += hint.__metadata__
            hint = get_args(hint)[0]
        elif get_origin(hint) in (Union, UnionType):
            others = [member for member in get_args(hint) if member is not NoneType]
            if len(others) != 1 or value is None:
                return hint, contracts
            hint = others[0]
        else:
            return hint, contracts


def _with_contracts(given: Given, contracts: tuple[Any, ...], value: object) -> Given:
    if given.wrong is not None:
        return given
    for contract in contracts:
        found = broken_contract(contract, value)
        if found is not None:
            return replace(given, broken=f"{contract_text(contract)}: {found}")
    return given


def _read_array(parameter: str, label: str, value: object, hint: Any, text: str) -> Given:
    try:
        dims: tuple[Dim, ...] | None = parse_dims(hint.dim_str)
    except NotationError:
        dims = None
    wrong = None
    if not _is_array(value, hint.array_type):
        wrong = "type"
    # The same annotation with every shape admitted: jaxtyping itself says whether the dtype is the reason.
    elif not isinstance(value, hint.dtype[hint.array_type, "..."]):
        wrong = "dtype"
    return Given(
        parameter, label, describe(value), text, dims, wrong, _admitted(hint), may_bind=frozenset(_names(hint))
    )


def _is_array(value: object, array_type: Any) -> bool:
    if array_type is Any:
        return hasattr(value, "shape") and hasattr(value, "dtype")
    return isinstance(value, array_type)


def _admits_type(hint: Any, value: object) -> bool:
    """False only where `hint` is a plain class, or None, and `value` is not of it."""
    if hint is None:
        return value is None
    if not isinstance(hint, type) or hint is _NOTHING or get_origin(hint) is not None:
        return True
    try:
        return isinstance(value, hint)
    # A Protocol that is not for run time, or a metaclass of the user's: the checker knows, we do not.
    except Exception:  # noqa: BLE001
        return True


def is_array_annotation(hint: Any) -> bool:
    """Whether `hint` is what `Float[Tensor, "b d"]` gives."""
    return isinstance(hint, type) and issubclass(hint, AbstractArray)


def _names(hint: Any) -> Iterator[str]:
    """Every name that a check against `hint` may bind."""
    if is_array_annotation(hint):
        try:
            dims = parse_dims(hint.dim_str)
        except NotationError:
            return
        yield from (dim.name for dim in dims if isinstance(dim, (NamedDim, VariadicDim)))
    for part in get_args(hint):
        yield from _names(part)


# --- text


def annotation_text(hint: Any) -> str:
    """An annotation as its author wrote it, or nearly; empty for none and for Any.

    >>> annotation_text(int | None)
    'int | None'
    """
    if _is_open(hint):
        return ""
    text = _text(hint)
    return text if len(text) <= MAX_ANNOTATION else f"{text[: MAX_ANNOTATION - 1]}…"


def _text(hint: Any) -> str:
    if is_array_annotation(hint):
        array_type = getattr(hint.array_type, "__name__", None) or str(hint.array_type)
        return f'{hint.dtype.__name__}[{array_type}, "{hint.dim_str}"]'
    if hint is None or hint is NoneType:
        return "None"
    if hint is Ellipsis:
        return "..."
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        said = dict.fromkeys(contract_text(one) for one in hint.__metadata__)
        return f"Annotated[{', '.join([_text(parts[0]), *said])}]"
    if origin in (Union, UnionType):
        return " | ".join(_text(part) for part in parts)
    if isinstance(origin, type) and parts and all(_is_part(part) for part in parts):
        return f"{origin.__name__}[{', '.join(_text(part) for part in parts)}]"
    if isinstance(hint, type):
        return hint.__qualname__.rpartition("<locals>.")[2]
    return str(hint).replace("typing.", "")


def _is_part(part: Any) -> bool:
    return isinstance(part, type) or part is Ellipsis or part is None or get_origin(part) is not None


def _admitted(hint: Any) -> str:
    """The dtypes that an annotation admits, in short.

    Widths that no tensor library holds by default (int2, float8) are left out beside the usual ones.
    """
    dtypes = hint.dtypes
    if not isinstance(dtypes, tuple):
        return f"{hint.dtype.__name__} admits every dtype"
    names = [dtype if isinstance(dtype, str) else dtype.pattern for dtype in dtypes]
    usual = [name for name in names if not _EXOTIC_DTYPE.fullmatch(name)] or names
    families: dict[str, list[str]] = {}
    for name in usual:
        families.setdefault(name.rstrip("0123456789"), []).append(name)
    brief = [", ".join(family) if len(family) <= 2 else f"{family[0]} … {family[-1]}" for family in families.values()]  # noqa: PLR2004  two are as short as their range
    return f"{hint.dtype.__name__} admits {', '.join(brief)}"
