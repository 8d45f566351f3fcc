"""Every item of a list, where beartype looks at one that it draws at random."""

import inspect
import random
from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from beartype import beartype

_RANDOM = "__beartype_getrandbits"
_VIOLATION = "__beartype_get_violation"
"""Hidden parameters through which beartype's generated checks come by random numbers and by the error to raise."""

Check: TypeAlias = Callable[[Any], None]
"""Raises whatever beartype's check raises."""

_own_random = random.Random()  # noqa: S311  which item of a list is looked at first is no secret


class CulpritError(Exception):
    """Names the parameter whose check failed, or `return`."""


def quiet_beartype(stub: Callable[..., Any]) -> Callable[..., Any]:
    """The check that beartype makes of `stub`, which formats no value and leaves Python's random numbers as they were.

    A version of beartype that comes by either in another way is served too: errors then do not name the culprit.
    """
    check: Callable[..., Any] = beartype(stub)
    hidden = getattr(check, "__kwdefaults__", None) or {}
    ours = {_RANDOM: _own_random.getrandbits, _VIOLATION: _name_culprit}
    if hidden:
        check.__kwdefaults__ = {name: ours.get(name, value) for name, value in hidden.items()}
    return check


def _name_culprit(*_data: object, pith_name: str = "", **_more: object) -> CulpritError:
    return CulpritError(pith_name)


def item_checks(hints: Mapping[str, tuple[Any, Any]]) -> dict[str, Check]:
    """For each name whose annotation, given with the kind of parameter, holds a list: the check of all its items."""
    checks = {}
    for name, (hint, kind) in hints.items():
        check = _walk(hint)
        if check is not None and kind is inspect.Parameter.VAR_POSITIONAL:
            check = _each(check)
        elif check is not None and kind is inspect.Parameter.VAR_KEYWORD:
            check = _each_value(check)
        if check is not None:
            checks[name] = check
    return checks


def check_items(checks: Mapping[str, Check], arguments: Mapping[str, Any]) -> None:
    """Check all items of the arguments that were passed.

    Raises:
        CulpritError: an item does not satisfy its annotation.
    """
    for name, check in checks.items():
        if name in arguments:
            try:
                check(arguments[name])
            except CulpritError:
                raise CulpritError(name) from None


def _walk(hint: Any) -> Check | None:
    """The check of what is in the lists of a value that beartype has accepted; None where there are none."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _walk(parts[0])
    if origin in (Union, UnionType):
        others = [part for part in parts if part is not NoneType]
        inner = _walk(others[0]) if len(others) == 1 else None
        return None if inner is None else _unless_none(inner)
    if origin is tuple and Ellipsis not in parts:
        return _positions([_walk(part) for part in parts])
    if isinstance(origin, type) and issubclass(origin, (Sequence, tuple)) and parts and parts[0] is not Any:
        return _each(_whole(parts[0]))
    return None


def _whole(hint: Any) -> Check:
    def item(value: Any) -> None: ...

    item.__annotations__ = {"value": hint}
    check, inner = quiet_beartype(item), _walk(hint)
    if inner is None:
        return check

    def whole(value: Any) -> None:
        check(value)
        inner(value)

    return whole


def _each(check: Check) -> Check:
    def each(values: Any) -> None:
        for value in values:
            check(value)

    return each


def _each_value(check: Check) -> Check:
    def each_value(values: Any) -> None:
        for value in values.values():
            check(value)

    return each_value


def _unless_none(check: Check) -> Check:
    def unless_none(value: Any) -> None:
        if value is not None:
            check(value)

    return unless_none


def _positions(checks: Sequence[Check | None]) -> Check | None:
    if not any(checks):
        return None

    def positions(values: Any) -> None:
        for check, value in zip(checks, values, strict=True):
            if check is not None:
                check(value)

    return positions
