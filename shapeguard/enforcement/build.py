"""Makes a guarded function: its text compiled to a code object of its own, and readable in tracebacks."""

import builtins
import inspect
import linecache
import sys
from collections.abc import Callable
from functools import lru_cache, wraps
from importlib import import_module
from types import CodeType, FunctionType, ModuleType
from typing import Any
from zlib import crc32

from jaxtyping import _config as jaxtyping_config
from jaxtyping import _storage as storage

from shapeguard.enforcement.checks import USUAL_DTYPES, dtypes_name
from shapeguard.enforcement.generation import Text, generate, generate_passing, is_usual
from shapeguard.enforcement.keys import UNKEYED, arrays, key_of
from shapeguard.enforcement.memo import FILENAME, OMITTED, OWNER, StandIn, new_stack
from shapeguard.enforcement.plan import Plan
from shapeguard.enforcement.traced import trace
from shapeguard.enforcement.verdict import CHECKS, resolved_signature


def _is_compiling() -> bool:
    """Replaced by torch's own answer as soon as torch is there."""
    _find_libraries()
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.compiler.is_dynamo_compiling())


_names: dict[str, Any] = {
    "__name__": "shapeguard.enforcement.generated",
    "__builtins__": builtins,
    "_sg_OMITTED": OMITTED,
    "_sg_Plan": Plan,
    "_sg_compiling": _is_compiling,
    "_sg_UNKEYED": UNKEYED,
    "_sg_arrays": arrays,
    "_sg_isinstance": isinstance,
    "_sg_key_of": key_of,
    "_sg_jaxtyping": jaxtyping_config,
    "_sg_len": len,
    "_sg_new_stack": new_stack,
    "_sg_settings": import_module("shapeguard.settings"),
    "_sg_storage": storage,
    "_sg_trace": trace,
    "_sg_type": type,
    **{f"_sg_{kind.__name__}": kind for kind in (int, float, bool, str, complex, bytes, tuple)},
}
"""The globals of every generated function. They name things by content, so that the code of a function reloaded by
`%autoreload` also runs in the function that it replaces. Bounded: one entry for each distinct set of dtypes."""


def build(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` behind its checks, with its own signature."""
    _find_libraries()
    text, shown = _text(function)
    for dtypes in text.dtypes:
        _names.setdefault(dtypes_name(dtypes), dtypes)
    guarded = FunctionType(_code(text.source, shown).replace(), _names, "guarded")
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


def _find_libraries() -> None:
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and hasattr(torch, "compiler") and "_sg_Tensor" not in _names:
        _names["_sg_Tensor"] = torch.Tensor
        _names["_sg_Parameter"] = torch.nn.Parameter
        _names.update({f"_sg_torch_{name}": getattr(torch, name) for name in USUAL_DTYPES})
        _names["_sg_compiling"] = torch.compiler.is_dynamo_compiling
        arrays.update((torch.Tensor, torch.nn.Parameter))
        _keep_dynamo_out(torch)
    if numpy is not None and hasattr(numpy, "ndarray"):
        _names.setdefault("_sg_ndarray", numpy.ndarray)
        arrays.add(numpy.ndarray)


def _keep_dynamo_out(torch: ModuleType) -> None:
    """Have Dynamo run the checkers and what explains them as they are.

    In what Dynamo compiles, `isinstance` against an array annotation is False whatever the value is
    (pytorch#122093), and a call whose graph broke runs with Dynamo watching every frame.
    """
    within = (Plan.settle, Plan.leave, Plan.abandon, StandIn.__iter__)
    try:
        frames = torch._C._dynamo.eval_frame  # noqa: SLF001  without the import of torch._dynamo, which takes a second
        action, strategy = frames._FrameAction, frames._FrameExecStrategy  # noqa: SLF001
        for code in (*(method.__code__ for method in within), *CHECKS):
            frames.set_code_exec_strategy(code, strategy(action.SKIP, action.SKIP))
        # The user's body, which runs within, is for Dynamo to compile.
        frames.set_code_exec_strategy(Plan.judge.__code__, strategy(action.SKIP, action.DEFAULT))
    # Private, and may go; then a call whose graph broke is judged by whatever Dynamo makes of the checkers.
    except AttributeError:
        return
