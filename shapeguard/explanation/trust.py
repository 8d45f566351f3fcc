"""Which values and functions run nobody's code but Python's and torch's own; judged by their real types alone."""

import builtins
import sys
from types import BuiltinFunctionType, FunctionType
from typing import Any

from shapeguard.explanation.purity import BUILTINS, FUNCTIONAL, PURE

PLAIN = (int, float, complex, bool, str, bytes, type(None), slice, type(...), range)
CONTAINERS = (list, tuple, dict)
MAX_NUMBER = 2**63
MAX_TEXT = 10_000


def is_plain_tensor(value: object) -> bool:
    """Whether `value` is a tensor whose operations run torch's code alone."""
    torch = sys.modules.get("torch")
    return torch is not None and type(value) in (torch.Tensor, torch.nn.Parameter)


def is_array(value: object) -> bool:
    """Whether `value` is a plain numpy array."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(value) is numpy.ndarray


def field_names(value: Any) -> tuple[str, ...]:
    """The fields of a named tuple that has a tuple's own methods; () for every other value."""
    kind = type(value)
    fields = vars(kind).get("_fields") if issubclass(kind, tuple) else None
    own = bool(fields) and kind.__iter__ is tuple.__iter__ and kind.__getitem__ is tuple.__getitem__
    return fields if own and type(fields) is tuple else ()


def is_sequence(value: object) -> bool:
    """Whether `value` is a list or a tuple whose methods are Python's or torch's own."""
    return type(value) in (list, tuple) or type(value).__module__ == "torch.return_types" or bool(field_names(value))


def is_size(value: object) -> bool:
    """Whether `value` is a torch.Size."""
    torch = sys.modules.get("torch")
    return torch is not None and type(value) is torch.Size


def is_known(value: Any, depth: int = 0) -> bool:
    """Whether operations on a value run torch's or Python's own code only."""
    if type(value) in PLAIN or is_plain_tensor(value) or is_array(value):
        return not (type(value) is int and abs(value) > MAX_NUMBER) and not (
            type(value) is str and len(value) > MAX_TEXT
        )
    if type(value) in CONTAINERS or is_size(value):
        values = value.values() if type(value) is dict else value
        return depth < 4 and len(value) <= 1024 and all(is_known(entry, depth + 1) for entry in values)  # noqa: PLR2004
    return False


def is_torchs(value: Any) -> bool:
    """Whether a value is a dtype, a device, a layout, a generator-free constant, or one of Python's own views."""
    return type(value).__module__ in ("torch", "builtins", "torch.return_types") and not callable(value)


def pure_function_name(function: Any) -> str | None:
    """The name of a function that is known to be pure; None for every other."""
    if type(function) not in (FunctionType, BuiltinFunctionType, type):
        # Of anything else, asking for its name may be code of the user's.
        return None
    name: str = function.__name__
    home = function.__module__ or ""
    if home == "builtins":
        return name if name in BUILTINS and getattr(builtins, name) is function else None
    torchs = home.startswith("torch") or _is_torch_builtin(function, name)
    if not torchs or type(function) is type:
        return None
    name = {"_stack": "stack", "boolean_dispatch": "max_pool2d", "fn": "max_pool2d"}.get(name, name)
    return name if name in PURE or name in FUNCTIONAL else None


def _is_torch_builtin(function: Any, name: str) -> bool:
    torch = sys.modules.get("torch")
    if torch is None or type(function) is not BuiltinFunctionType:
        return False
    owners = (torch, torch._C._nn, torch._C._VariableFunctions, getattr(torch._C, "_linalg", None))  # noqa: SLF001
    return any(
        getattr(owner, name, None) is function or getattr(owner, f"linalg_{name}", None) is function
        for owner in owners
        if owner
    )
