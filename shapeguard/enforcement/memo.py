"""What jaxtyping knows of the call in progress, built only when somebody asks.

jaxtyping keeps, for each thread, a stack of four dicts a call: sizes of names, shapes of variadic names, structures
of PyTrees, and the arguments. `isinstance` against an array annotation, `print_bindings` and checks of unguarded
helpers unpack its top. A guard puts a stand-in there: unpacking it builds the four dicts and puts them in its place.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any, TypeAlias

from jaxtyping import _storage as storage

Memos: TypeAlias = tuple[dict[str, int], dict[str, tuple[bool, Any]], dict[str, Any], dict[str, Any]]

FILENAME = "<shapeguard "
"""How the file name of every generated function begins."""

OWNER = "_sg"
HIT = "_sg_hit"
STACK = "_sg_stack"
"""Local of a generated function that is on the stack, or was."""
TOP = "_sg_top"
"""Local of a generated function that is no longer on the stack."""


class Omitted:
    """The type of OMITTED. Generated text asks for it, since Dynamo forgets to guard an argument that is a global."""

    __slots__ = ()

    def __reduce__(self) -> str:
        return "OMITTED"


OMITTED = Omitted()
"""Stands for an argument that was not passed: it is neither checked nor bound."""


def new_stack() -> list[Any]:
    """The stack of a thread that has none yet."""
    stack: list[Any] = []
    storage._shape_storage.memo_stack = stack  # noqa: SLF001  jaxtyping's own place for it
    return stack


def memo_stack() -> list[Any]:
    """The stack that jaxtyping keeps for this thread."""
    try:
        stack: list[Any] = storage._shape_storage.memo_stack  # noqa: SLF001
    except AttributeError:
        return new_stack()
    return stack


class StandIn:
    """Becomes the four dicts when it is unpacked."""

    __slots__ = ()

    local = OWNER
    """The local of the generated function that holds this."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        memos = self.materialise()
        stack = memo_stack()
        if stack and stack[-1] is self:
            stack[-1] = memos
        return iter(memos)

    def materialise(self) -> Memos:
        """The four dicts, from the call of this thread that put this on the stack last."""
        return self.memos(locals_of_call(self.local, self))

    def memos(self, found: Mapping[str, Any]) -> Memos:
        """The four dicts, from the locals of the call."""
        raise NotImplementedError


def locals_of_call(name: str, stand_in: StandIn) -> dict[str, Any]:
    """The locals of the innermost generated function whose local `name` is `stand_in` and which is on the stack."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  the only way to a frame
    while frame is not None:
        if frame.f_code.co_filename.startswith(FILENAME):
            found = locals_of(frame)
            # A recursive call that is being refused has left the stack, and its frame is still there.
            if found.get(name) is stand_in and STACK in found and TOP not in found:
                return found
        frame = frame.f_back
    message = "the guarded call that this memo belongs to is not running in this thread"
    raise LookupError(message)


def locals_of(frame: FrameType) -> dict[str, Any]:
    """The locals of a frame, which does not hold them any longer than before."""
    found = frame.f_locals
    held = dict(found)
    if isinstance(found, dict):
        # Python 3.11 and 3.12 keep this dict with the frame, and with it every value of the call.
        found.clear()
    return held


def arguments_of(signature: inspect.Signature, found: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as jaxtyping holds them: with defaults, in the order of the signature."""
    return {
        name: parameter.default if found[name] is OMITTED else found[name]
        for name, parameter in signature.parameters.items()
    }


def bindings_text(memos: Memos, function: Callable[..., Any]) -> str:
    """The names that are bound, in one line, or nothing.

    >>> bindings_text(({"b": 2}, {}, {}, {}), bindings_text)
    'in bindings_text(): b=2'
    """
    single, variadic, _, _ = memos
    pieces = [f"{name}={size}" for name, size in single.items() if not name.startswith("~~delete~~")]
    pieces += [f"*{name}={list(shape)}" for name, (_, shape) in variadic.items() if not name.startswith("~~delete~~")]
    qualified = getattr(function, "__qualname__", function.__name__).rpartition("<locals>.")[2]
    return f"in {qualified}(): {', '.join(pieces)}" if pieces else ""
