"""The decorator."""

import dataclasses
import inspect
import os
from collections.abc import Callable
from functools import wraps
from types import FunctionType, MethodType
from typing import Any, TypeVar, cast

from shapeguard.enforcement.build import build
from shapeguard.enforcement.plan import hide_checker, rejection
from shapeguard.enforcement.verdict import RejectedError, checked, resolved_signature
from shapeguard.errors import GuardTargetError

T = TypeVar("T")

_DISABLED = os.environ.get("SHAPEGUARD_DISABLE", "").lower() not in ("", "0", "false")
"""Read once: with it, decorating costs nothing and leaves everything as it is."""

_MARK = "__shapeguard_guarded__"
_HELD_RESULT = "__shapeguard_result"


def guard(target: T) -> T:
    """Enforce the jaxtyping annotations of `target` at each call, through beartype.

    `target` is a function, a method, a staticmethod, classmethod or property, or a class. Of a class, all annotated
    methods that it defines itself are guarded, in place; of a dataclass also `__init__`. Of an `async def`, the
    awaited result is checked. What is accepted and what is bound is what `jaxtyped(typechecker=beartype)` accepts and
    binds, except that every item of a list is checked. Thread-safe.

    Under torch.compile the annotations with plain dims are checked in the graph, and the others not at all. Guards do
    nothing with SHAPEGUARD_DISABLE=1 at import, and while `settings.guard` or jaxtyping's own switches say so.

    Raises:
        GuardTargetError: `target` is none of these.
        TypeCheckError: from the guarded function, when an argument or the result does not satisfy its annotation.

    >>> @guard
    ... def half(n: int) -> float:
    ...     return n / 2
    >>> half(3)
    1.5
    """
    return target if _DISABLED else cast("T", _guarded(target))


def _guarded(target: Any) -> Any:
    if isinstance(target, type):
        return _guard_class(target)
    if isinstance(target, (staticmethod, classmethod)):
        return type(target)(_guarded(target.__func__))
    if isinstance(target, property):
        get, set_, delete = (None if one is None else _guarded(one) for one in (target.fget, target.fset, target.fdel))
        return type(target)(get, set_, delete, target.__doc__)
    if not isinstance(target, (FunctionType, MethodType)):
        message = (
            f"guard was given {'an' if type(target).__name__[0] in 'aeiou' else 'a'} {type(target).__name__}; it "
            "decorates functions, methods, properties and classes: write @guard on the line above a def or a class"
        )
        raise GuardTargetError(message)
    if getattr(target, _MARK, False):
        return target
    if inspect.iscoroutinefunction(target):
        return _guard_coroutine_function(target)
    return _guard_function(target)


def _guard_class(target: type) -> type:
    if getattr(target, "__no_type_check__", False):
        return target
    for name, member in list(vars(target).items()):
        if _is_annotated(member):
            setattr(target, name, _guarded(member))
    if dataclasses.is_dataclass(target):
        # An inherited one as well, as jaxtyping does.
        initialize = inspect.getattr_static(target, "__init__")
        if isinstance(initialize, FunctionType):
            setattr(target, "__init__", _guarded(initialize))  # noqa: B010  mypy takes a plain assignment for a mistake
    return target


def _is_annotated(member: object) -> bool:
    if isinstance(member, (staticmethod, classmethod)):
        return _is_annotated(member.__func__)
    if isinstance(member, property):
        return any(_is_annotated(one) for one in (member.fget, member.fset, member.fdel))
    return isinstance(member, FunctionType) and bool(member.__annotations__)


def _guard_function(function: Callable[..., Any]) -> Callable[..., Any]:
    guarded = build(function)
    setattr(guarded, _MARK, True)
    return guarded


def _guard_coroutine_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Checks the arguments before the body and the awaited result after it.

    jaxtyping checks the coroutine instead, and so rejects every correct call. Its bindings are of one thread, not of
    one task, hence two checks with nothing bound between them.
    """
    enter, leave = _entrance(function), _exit(function)

    @wraps(function)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if getattr(guarded, "__no_type_check__", False):
            return await function(*args, **kwargs)
        try:
            enter(*args, **kwargs)
            return leave(*args, **kwargs, **{_HELD_RESULT: await function(*args, **kwargs)})
        except RejectedError as rejected:
            error = rejection(function, rejected)
        except Exception as failure:
            hide_checker(failure.__traceback__)
            raise
        del args, kwargs
        try:
            raise error from None
        finally:
            del error

    setattr(guarded, _MARK, True)
    return guarded


def _entrance(function: Callable[..., Any]) -> Callable[..., Any]:
    def enter(*_args: Any, **_kwargs: Any) -> None:
        return

    signature = resolved_signature(function).replace(return_annotation=inspect.Signature.empty)
    return checked(_posing_as(function, enter, signature))


def _exit(function: Callable[..., Any]) -> Callable[..., Any]:
    def leave(*_args: Any, **kwargs: Any) -> Any:
        return kwargs[_HELD_RESULT]

    signature = resolved_signature(function)
    parameters = list(signature.parameters.values())
    last = len(parameters) - any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    parameters.insert(last, inspect.Parameter(_HELD_RESULT, inspect.Parameter.KEYWORD_ONLY, annotation=Any))
    return checked(_posing_as(function, leave, signature.replace(parameters=parameters)))


def _posing_as(function: Callable[..., Any], pose: Callable[..., Any], signature: inspect.Signature) -> Any:
    posing: Any = wraps(function)(pose)
    posing.__signature__ = signature
    return posing
