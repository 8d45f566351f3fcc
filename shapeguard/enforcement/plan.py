"""What a guarded function carries: the user's function, the real checkers once somebody needs them, and every slow path."""

import inspect
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeAlias

from jaxtyping import TypeCheckError, jaxtyped
from jaxtyping import _storage as storage

from shapeguard.enforcement.checks import Bound
from shapeguard.enforcement.keys import UNKEYED, keys_of
from shapeguard.enforcement.matching import RESULT
from shapeguard.enforcement.memo import (
    HIT,
    OMITTED,
    OWNER,
    Memos,
    StandIn,
    arguments_of,
    bindings_text,
    locals_of,
    memo_stack,
)
from shapeguard.enforcement.verdict import Checkers, RejectedError
from shapeguard.enforcement.violation import RejectedCall, violation

MAX_VERDICTS = 128
"""Verdicts that one function keeps, since shapes are unbounded; each holds as many of its exits."""

REST = 2048
"""Calls that are not remembered once a function has as many verdicts as it may; then it begins anew."""

_NOTE = "shapeguard: "
Call: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Verdict(StandIn):
    """Arguments that the checkers accepted, of which nothing but the key and what they bound is kept."""

    __slots__ = ("_single", "_variadic", "exits")

    local = HIT

    def __init__(self, memos: Memos) -> None:
        self._single = tuple(memos[0].items())
        self._variadic = tuple(memos[1].items())
        self.exits: Any = ()
        """Keys of arguments and result with which such calls ended well."""

    def memos(self, found: Mapping[str, Any]) -> Memos:  # noqa: D102  as StandIn says
        return dict(self._single), dict(self._variadic), {}, arguments_of(found[OWNER].checkers.signature, found)

    def is_bound_in(self, memos: Memos) -> bool:
        """Whether a call has bound what this says and no more: its body may have bound names."""
        single, variadic, trees, _ = memos
        return tuple(single.items()) == self._single and tuple(variadic.items()) == self._variadic and not trees

    def confirm(self, key: Any) -> None:
        """Remember that a call that began like this and was not looked into ended well with these values."""
        if key is UNKEYED or key in self.exits:
            return
        # Nearly always there is one: a set for each would be most of what remembering costs.
        self.exits = (key,) if len(self.exits) in (0, MAX_VERDICTS) else {*self.exits, key}


class Plan(StandIn):
    """One guarded function. It stands on jaxtyping's stack for each call that the generated checks accepted.

    Holds nothing of any call; thread-safe, since what is built late is the same whoever builds it.
    """

    __slots__ = ("__weakref__", "_bound", "_checkers", "_rest", "cache", "function", "keyed", "kinds", "marks")

    def __init__(
        self,
        function: Callable[..., Any],
        kinds: tuple[type, ...],
        bound: tuple[Bound, ...],
        keyed: tuple[str, ...],
        marks: dict[str, Any],
    ) -> None:
        self.function = function
        self.kinds = kinds
        """Classes that the generated text names by number."""
        self._bound = bound
        self.keyed = keyed
        """Parameters that the key of a call is made of."""
        self.marks = marks
        """The attributes of the guarded function, since `no_type_check` may be put on it later."""
        self._checkers: Checkers | None = None
        self._rest = 0
        self.cache: dict[Any, Verdict] = {}
        """The verdicts on arguments so far, by their key; none where the generated checks suffice."""

    def __reduce__(self) -> Any:
        return Plan, (
            self.function,
            self.kinds,
            self._bound,
            self.keyed,
            {"__no_type_check__": self.marks["__no_type_check__"]},
        )

    @property
    def checkers(self) -> Checkers:
        """The real checkers, made on first use: making them takes longer than a thousand calls."""
        checkers = self._checkers
        if checkers is None:
            checkers = self._checkers = Checkers(self.function)
        return checkers

    # --- what generated text calls

    def as_call(self, values: tuple[Any, ...]) -> Call:
        """The values of all parameters as the call that passes them; what was omitted is left out."""
        checkers = self.checkers
        if checkers.is_positional and not any(value is OMITTED for value in values):
            return values, {}
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        complete = True
        for (name, kind, _), value in zip(checkers.parameters, values, strict=True):
            if value is OMITTED:
                complete = False
            elif kind is inspect.Parameter.VAR_POSITIONAL:
                args.extend(value)
            elif kind is inspect.Parameter.VAR_KEYWORD:
                kwargs.update(value)
            elif kind in _POSITIONAL and complete:
                args.append(value)
            else:
                kwargs[name] = value
        return tuple(args), kwargs

    def judge(self, values: tuple[Any, ...], key: Any = UNKEYED) -> Any:
        """The whole call under the real checkers, from the values of all parameters.

        What they accept is remembered under `key`, if that holds all that their verdict depends on.

        Raises:
            RejectedError: by the checkers.
        """
        parameters = self.checkers.parameters
        arguments = {
            name: default if value is OMITTED else value
            for (name, _, default), value in zip(parameters, values, strict=True)
        }
        return self._judge(self.as_call(values), arguments, key, values)

    def judge_passing(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The whole call under the real checkers, from what was passed.

        Raises:
            RejectedError: by the checkers.
        """
        bound = self.checkers.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return self._judge((args, kwargs), dict(bound.arguments), UNKEYED, ())

    def _judge(self, call: Call, arguments: dict[str, Any], key: Any, values: tuple[Any, ...]) -> Any:
        """As jaxtyping's own wrapper makes the call."""
        checkers, (args, kwargs) = self.checkers, call
        stack = memo_stack()
        memos: Memos = ({}, {}, {}, arguments)
        stack.append(memos)
        try:
            checkers.enter(*args, **kwargs)
            verdict = self._remember(key, stack[-1])
            try:
                result = self.function(*args, **kwargs)
            except RuntimeError as error:
                self._note(error, stack)
                raise
            untouched = verdict is not None and verdict.is_bound_in(stack[-1])
            self._check_result(args, kwargs, result)
            if verdict is not None and untouched:
                given = zip(checkers.parameters, values, strict=True)
                verdict.confirm(keys_of((*(value for (name, *_), value in given if name in self.keyed), result)))
            return result
        finally:
            stack.pop()

    def leave(self, stack: list[Any], top: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Arguments again, and the result, under the real checkers and with what the call has bound: `top`.

        Raises:
            RejectedError: by the checkers.
        """
        stack.append(top.memos(locals_of(sys._getframe(1))) if isinstance(top, StandIn) else top)  # noqa: SLF001
        try:
            self._check_result(args, kwargs, result)
        finally:
            stack.pop()

    def abandon(self, stack: list[Any], failure: BaseException) -> None:
        """Take the call off the stack, whose body raised `failure`."""
        if isinstance(failure, RuntimeError):
            self._note(failure, stack)
        stack.pop()

    def settle(self, failure: Exception) -> TypeCheckError | None:
        """The error to raise for a call that failed; None where the body raised, whose error is the caller's own."""
        if isinstance(failure, RejectedError):
            return rejection(self.function, failure)
        hide_checker(failure.__traceback__)
        return None

    # --- inside

    def memos(self, found: Mapping[str, Any]) -> Memos:  # noqa: D102  as StandIn says
        single: dict[str, int] = {}
        for shape, names in self._bound:
            sizes = found[shape]
            if sizes is not None:
                for at, name in names:
                    single.setdefault(name, sizes[at])
        return single, {}, {}, arguments_of(self.checkers.signature, found)

    def _remember(self, key: Any, memos: Memos) -> Verdict | None:
        if key is UNKEYED or memos[2]:
            return None
        if len(self.cache) >= MAX_VERDICTS:
            # Shapes that never come back: remembering each would cost more than the checkers save.
            self._rest += 1
            if self._rest < REST:
                return None
            self._rest = 0
            self.cache.clear()
        # While jaxtyping takes a PyTree apart, its checks look at types alone.
        if storage.get_treeflatten_memo():  # type: ignore[no-untyped-call]
            return None
        verdict = self.cache[key] = Verdict(memos)
        return verdict

    def _check_result(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        checkers = self.checkers
        if checkers.signature.return_annotation is not inspect.Signature.empty:
            checkers.leave(*args, **kwargs, **{checkers.result: result})

    def _note(self, error: RuntimeError, stack: list[Any]) -> None:
        """Tell an error that torch raised in the body what the sizes are called; the innermost guard alone does."""
        if isinstance(error, (RecursionError, NotImplementedError)) or _notes(error):
            return
        text = bindings_text(tuple(stack[-1]), self.function)
        if text:
            error.add_note(f"{_NOTE}{text}")


def _notes(error: BaseException) -> list[str]:
    return [note for note in getattr(error, "__notes__", ()) if note.startswith(_NOTE)]


def rejection(function: Callable[..., Any], rejected: RejectedError) -> TypeCheckError:
    """The error for one rejection. A parameter that is not the function's own holds the result."""
    own = inspect.signature(function).parameters
    stub = inspect.signature(rejected.stub)
    arguments = {name: value for name, value in rejected.arguments.items() if name in own}
    parameters = [parameter for name, parameter in stub.parameters.items() if name in own]
    results = [value for name, value in rejected.arguments.items() if name not in own]
    if results:
        arguments[RESULT] = results[0]
    qualified = getattr(function, "__qualname__", function.__name__)
    signature = stub.replace(parameters=parameters)
    return violation(RejectedCall(qualified, signature, arguments, rejected.culprit, rejected.fault))


def hide_checker(traceback: TracebackType | None) -> None:
    """Take jaxtyping's frames and ours out from between the guard's and the body's; the body's error stays as it is."""
    if traceback is None:
        return
    inner = traceback.tb_next
    while inner is not None and inner.tb_frame.f_globals.get("__name__") in _CHECKERS:
        inner = inner.tb_next
    if inner is not None:
        traceback.tb_next = inner


_CHECKERS = (jaxtyped.__module__, __name__)
