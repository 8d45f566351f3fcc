"""The globals of every generated function.

A module, since Dynamo reads what a function refers to from the module of that name. Names say what they hold, so that
the code of a function reloaded by `%autoreload` also runs in the function that it replaces; for each set of dtypes that
an annotation admits one more is put here, which bounds their number. What torch and numpy have is put here once they
are loaded.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from jaxtyping import _config as _sg_jaxtyping  # noqa: F401  everything here is read by generated text
from jaxtyping import _storage as _sg_storage  # noqa: F401

from shapeguard.enforcement.checks import USUAL_DTYPES
from shapeguard.enforcement.keys import UNKEYED as _sg_UNKEYED  # noqa: F401, N811
from shapeguard.enforcement.keys import arrays as _sg_arrays
from shapeguard.enforcement.keys import key_of as _sg_key_of  # noqa: F401
from shapeguard.enforcement.memo import Omitted as _sg_Omitted  # noqa: F401
from shapeguard.enforcement.memo import StandIn
from shapeguard.enforcement.memo import new_stack as _sg_new_stack  # noqa: F401
from shapeguard.enforcement.plan import Plan
from shapeguard.enforcement.traced import trace as _sg_trace  # noqa: F401
from shapeguard.enforcement.verdict import CHECKS

_sg_settings = import_module("shapeguard.settings")
_sg_Plan = Plan  # noqa: N816
_sg_isinstance = isinstance
_sg_len = len
_sg_type = type
_sg_int, _sg_float, _sg_bool, _sg_str, _sg_complex, _sg_bytes, _sg_tuple = int, float, bool, str, complex, bytes, tuple


def _sg_compiling() -> bool:
    """Replaced by torch's own answer as soon as torch is there."""
    find_libraries()
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.compiler.is_dynamo_compiling())


def find_libraries() -> None:
    """Take notice of torch and numpy, if they have been loaded since."""
    names: dict[str, Any] = globals()
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and hasattr(torch, "compiler") and "_sg_Tensor" not in names:
        names["_sg_Tensor"] = torch.Tensor
        names["_sg_Parameter"] = torch.nn.Parameter
        names.update({f"_sg_torch_{name}": getattr(torch, name) for name in USUAL_DTYPES})
        names["_sg_compiling"] = torch.compiler.is_dynamo_compiling
        _sg_arrays.update((torch.Tensor, torch.nn.Parameter))
        _keep_dynamo_out(torch)
    if numpy is not None and hasattr(numpy, "ndarray") and "_sg_ndarray" not in names:
        names["_sg_ndarray"] = numpy.ndarray
        _sg_arrays.add(numpy.ndarray)


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
        for method in (Plan.judge, Plan.judge_passing, Plan._judge):  # noqa: SLF001
            frames.set_code_exec_strategy(method.__code__, strategy(action.SKIP, action.DEFAULT))
    # Private, and may go; then a call whose graph broke is judged by whatever Dynamo makes of the checkers.
    except AttributeError:
        return
