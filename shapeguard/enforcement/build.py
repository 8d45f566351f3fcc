"""Makes a guarded function: its text compiled to a code object of its own, and readable in tracebacks."""

import inspect
import linecache
from collections.abc import Callable
from functools import lru_cache, wraps
from types import CodeType, FunctionType
from typing import Any
from zlib import crc32

from shapeguard.enforcement import generated
from shapeguard.enforcement.checks import dtypes_name
from shapeguard.enforcement.generation import Text, generate, generate_passing, is_usual
from shapeguard.enforcement.memo import FILENAME, OMITTED, OWNER
from shapeguard.enforcement.plan import Plan
from shapeguard.enforcement.verdict import resolved_signature


def build(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` behind its checks, with its own signature."""
    generated.find_libraries()
    text, shown = _text(function)
    for dtypes in text.dtypes:
        vars(generated).setdefault(dtypes_name(dtypes), dtypes)
    guarded = FunctionType(_code(text.source, shown).replace(), vars(generated), "guarded")
    wraps(function)(guarded)
    marks = guarded.__dict__
    marks["__no_type_check__"] = getattr(function, "__no_type_check__", False)
    plan = Plan(function, text.kinds, text.bound, text.keyed, marks)
    if not text.complete:
        # What is wrong with an annotation is said where it stands, not at the first call.
        plan.checkers  # noqa: B018  a property that makes them
    _set_defaults(guarded, plan)
    return guarded


def _text(function: Callable[..., Any]) -> tuple[Text, str]:
    shown = getattr(function, "__qualname__", function.__name__).rpartition("<locals>.")[2]
    # A callable in front of another has parameters of its own, which are not those of the signature.
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__") or hasattr(function, "__signature__"):
        return generate_passing(shown), shown
    signature = resolved_signature(function)
    if not is_usual(signature):
        return generate_passing(shown), shown
    return generate(signature, shown), shown


@lru_cache(maxsize=512)
def _code(source: str, shown: str) -> CodeType:
    """The code object of a text, to be copied: Dynamo counts its recompilations for each code object."""
    filename = f"{FILENAME}{shown} {crc32(source.encode()):08x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    module = compile(source, filename, "exec", dont_inherit=True)
    return next(constant for constant in module.co_consts if isinstance(constant, CodeType))


def _set_defaults(guarded: FunctionType, plan: Plan) -> None:
    code = guarded.__code__
    positional, keyword_only = code.co_argcount, code.co_kwonlyargcount
    names = code.co_varnames[: positional + keyword_only]
    own = inspect.signature(plan.function).parameters
    optional = {name for name in names if name in own and own[name].default is not inspect.Parameter.empty}
    defaults: list[Any] = [OMITTED for name in names[:positional] if name in optional]
    if OWNER in names[:positional]:
        guarded.__defaults__ = (*defaults, plan)
    elif defaults:
        guarded.__defaults__ = tuple(defaults)
    kwdefaults: dict[str, Any] = {name: OMITTED for name in names[positional:] if name in optional}
    if OWNER in names[positional:]:
        kwdefaults[OWNER] = plan
    guarded.__kwdefaults__ = kwdefaults or None
