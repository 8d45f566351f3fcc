"""The verdict itself: jaxtyping's wrapper around beartype's checks, made to say which argument it rejected and no more."""

import inspect
from collections.abc import Callable
from functools import wraps
from keyword import iskeyword
from types import CodeType
from typing import Any

from beartype.roar import BeartypeCallHintViolation
from jaxtyping import AnnotationError, jaxtyped

from shapeguard.enforcement.items import CulpritError, check_items, item_checks, quiet_beartype
from shapeguard.enforcement.matching import RESULT


class RejectedError(AnnotationError):
    """A check failed. Never leaves the guard that owns the check.

    An AnnotationError, because jaxtyping passes those on as they are; every other error it turns into a message of
    its own, for which all arguments are formatted.
    """

    def __init__(self, stub: Callable[..., Any], culprit: str | None, fault: str | None) -> None:
        super().__init__()
        self.stub = stub
        """The function without a body that stands for the one that was called: its annotations are resolved."""
        self.arguments: dict[str, Any] = {}
        self.culprit = culprit
        self.fault = fault


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` under jaxtyping's verdict; a rejection raises RejectedError."""
    wrapped: Callable[..., Any] = jaxtyped(typechecker=_checker)(_with_usable_name(function))
    return wrapped


class Checkers:
    """jaxtyping's two checks of one function, apart: of the arguments, and of the arguments with the result."""

    __slots__ = ("enter", "is_positional", "leave", "parameters", "result", "signature")

    def __init__(self, function: Callable[..., Any]) -> None:
        stubs = _stubs(function)
        self.signature = _signature(function, stubs[0])
        """Annotations that were strings are types, or Any."""
        self.parameters = [(one.name, one.kind, one.default) for one in self.signature.parameters.values()]
        """Read at each slow call, when reading them from the signature would take a microsecond."""
        self.is_positional = all(kind < inspect.Parameter.VAR_POSITIONAL for _, kind, _ in self.parameters)
        self.leave = _checker(stubs[0])
        self.enter = _checker(stubs[1])
        own = self.signature.parameters
        self.result = next(name for name in inspect.signature(stubs[0]).parameters if name not in own)
        """The parameter through which `leave` takes the result."""


def _with_usable_name(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, or for a lambda a function in front of it, since jaxtyping compiles a `def` of the same name."""
    if function.__name__.isidentifier() and not iskeyword(function.__name__):
        return function

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    called.__name__ = "called"
    return called


def resolved_signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of `function` as the checker sees it: annotations that were strings are types, or Any."""
    return _signature(function, _stubs(function)[0])


def _stubs(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The functions without a body that jaxtyping hands to its checker: with the result, and without."""
    stubs: list[Callable[..., Any]] = []

    def collect(stub: Callable[..., Any]) -> Callable[..., Any]:
        stubs.append(stub)
        return stub

    jaxtyped(typechecker=collect)(_with_usable_name(function))
    return stubs


def _signature(function: Callable[..., Any], stub: Callable[..., Any]) -> inspect.Signature:
    theirs = inspect.signature(stub)
    mine = inspect.signature(function)
    parameters = [theirs.parameters[name] for name in mine.parameters]
    has_return = mine.return_annotation is not inspect.Signature.empty
    return mine.replace(
        parameters=parameters,
        return_annotation=theirs.return_annotation if has_return else inspect.Signature.empty,
    )


def _checker(stub: Callable[..., Any]) -> Callable[..., Any]:
    check, signature = quiet_beartype(stub), inspect.signature(stub)
    items = item_checks({name: (one.annotation, one.kind) for name, one in signature.parameters.items()})
    items |= item_checks({RESULT: (signature.return_annotation, inspect.Parameter.KEYWORD_ONLY)})

    @wraps(stub)
    def judged(*args: Any, **kwargs: Any) -> Any:
        try:
            returned = check(*args, **kwargs)
            if items:
                check_items(items, {**signature.bind(*args, **kwargs).arguments, RESULT: returned})
        except AnnotationError:
            raise
        except CulpritError as error:
            # The generated check keeps its error in a local: with a traceback they would keep each other, and the arguments.
            error.__traceback__ = None
            rejected = RejectedError(stub, str(error) or None, None)
        # As jaxtyping does: whatever a check raises is a rejection.
        except Exception as error:  # noqa: BLE001
            error.__traceback__ = None
            fault = None if isinstance(error, BeartypeCallHintViolation) else type(error).__name__
            rejected = RejectedError(stub, None, fault)
        else:
            return returned
        rejected.arguments = dict(signature.bind(*args, **kwargs).arguments)
        try:
            raise rejected
        finally:
            # The same cycle: this frame is in the traceback of what it raises.
            del rejected

    return judged


CHECKS = tuple(
    constant
    for constant in _checker.__code__.co_consts
    if isinstance(constant, CodeType) and constant.co_name == "judged"
)
"""The code in which every real check runs."""
