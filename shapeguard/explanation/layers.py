"""Layers on the traceback: which one failed, its path from the user's outermost module, and its own sizes."""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from shapeguard.explanation.failure import Failure, Step, is_users
from shapeguard.tensors import MISSING

MAX_MODULES = 10_000
_CALLERS = frozenset({"_call_impl", "_wrapped_call_impl", "forward"})


@dataclass(frozen=True, slots=True)
class Layer:
    """An nn.Module on the traceback. Holds it and what it was given: read it, then drop it."""

    module: Any
    path: str
    """`model.blocks.1.net.2`"""
    args: tuple[Any, ...]
    keywords: dict[str, Any]
    failed: bool
    """Whether the exception arose in code of the layer's own class, rather than in the user's `forward`."""

    @property
    def kind(self) -> str:
        """The name of its class."""
        return type(self.module).__name__

    @property
    def is_torchs(self) -> bool:
        """Whether its class is one of torch's own."""
        return is_torch_module_class(type(self.module))

    @property
    def label(self) -> str:
        """`model.blocks.1.net.2 Linear(64 → 10)`."""
        text = layer_text(self.module)
        return text if self.path == self.kind else f"{self.path} {text}"


def is_module(value: object) -> bool:
    """Whether `value` is an nn.Module."""
    modules = sys.modules.get("torch.nn")
    return modules is not None and issubclass(type(value), modules.Module)


def is_torch_module_class(kind: Any) -> bool:
    """Whether `kind` is a class of layers that torch itself defines."""
    modules = sys.modules.get("torch.nn")
    return (
        issubclass(type(kind), type)
        and modules is not None
        and issubclass(kind, modules.Module)
        and kind.__module__.startswith("torch.nn.modules.")
    )


def failing_layer(failure: Failure) -> Layer | None:
    """The innermost module on the traceback; None outside of any."""
    on_stack = list(_modules(failure.steps))
    if not on_stack:
        return None
    first, root = on_stack[0]
    last, module = on_stack[-1]
    failed = last > failure.user
    path = _path(root, module, _name_of(root, failure.steps, first))
    args, keywords = _given(failure.steps[: last + 1], module)
    return Layer(module, path, args, keywords, failed)


def _modules(steps: tuple[Step, ...]) -> Iterator[tuple[int, Any]]:
    for index, step in enumerate(steps):
        code = step.frame.f_code
        if code.co_name == "__init__":
            continue
        owner = step.frame.f_locals.get("self", MISSING) if "self" in code.co_varnames[:1] else MISSING
        # Of torch's own classes only a call counts: `load_state_dict` is no failure of the layer.
        if is_module(owner) and (code.co_name in _CALLERS or not is_torch_module_class(type(owner))):
            yield index, owner


def _given(steps: tuple[Step, ...], module: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    forward: FrameType | None = None
    for step in reversed(steps):
        if step.frame.f_code.co_name == "_call_impl" and step.frame.f_locals.get("self") is module:
            args, keywords = step.frame.f_locals.get("args", ()), step.frame.f_locals.get("kwargs", {})
            return (args if isinstance(args, tuple) else ()), (keywords if isinstance(keywords, dict) else {})
        if step.frame.f_code.co_name == "forward" and step.frame.f_locals.get("self") is module:
            forward = step.frame
    if forward is None:
        return (), {}
    # `layer.forward(x)`, without the call around it.
    code = forward.f_code
    names = code.co_varnames[1 : code.co_argcount]
    return tuple(forward.f_locals[name] for name in names if name in forward.f_locals), {}


def _name_of(root: Any, steps: tuple[Step, ...], first: int) -> str:
    """What the user calls their outermost module in the frame that called it."""
    for step in reversed(steps[:first]):
        if is_users(step.frame.f_code):
            for names in (step.frame.f_locals, step.frame.f_globals):
                for name, value in list(names.items()):
                    if value is root and not name.startswith("_"):
                        return name
    return type(root).__name__


def _path(root: Any, module: Any, name: str) -> str:
    seen = {id(root)}
    queue: list[tuple[str, Any]] = [(name, root)]
    for path, owner in queue:
        if owner is module:
            return path
        # Not `vars`, which a `__getattribute__` of the user's would see.
        children = object.__getattribute__(owner, "__dict__").get("_modules")
        for key, child in list(children.items()) if isinstance(children, dict) else ():
            if child is not None and id(child) not in seen and len(seen) < MAX_MODULES:
                seen.add(id(child))
                queue.append((f"{path}.{key}", child))
    return name if module is root else f"{name} … {type(module).__name__}"


_TEXTS: Mapping[str, Callable[[Any], str]] = {
    "Linear": lambda m: f"{m.in_features} → {m.out_features}",
    "Bilinear": lambda m: f"{m.in1_features}, {m.in2_features} → {m.out_features}",
    "Embedding": lambda m: f"{m.num_embeddings} × {m.embedding_dim}",
    "LayerNorm": lambda m: ", ".join(map(str, m.normalized_shape)),
    "RMSNorm": lambda m: ", ".join(map(str, m.normalized_shape)),
    "GroupNorm": lambda m: f"{m.num_groups} groups, {m.num_channels}",
    "MultiheadAttention": lambda m: f"{m.embed_dim}, {m.num_heads} heads",
    **dict.fromkeys(
        ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"), lambda m: f"{m.input_size} → {m.hidden_size}"
    ),
}


def layer_text(module: Any) -> str:
    """A layer with its sizes: `Linear(64 → 10)`."""
    kind = type(module).__name__
    if not is_torch_module_class(type(module)):
        return kind
    if kind in _TEXTS:
        return f"{kind}({_TEXTS[kind](module)})"
    if hasattr(module, "in_channels"):
        return f"{kind}({module.in_channels} → {module.out_channels})"
    if hasattr(module, "num_features"):
        return f"{kind}({module.num_features})"
    return kind


def constructor_parameters(module: Any) -> list[str]:
    """The names that a layer's constructor takes, in order."""
    return [name for name in inspect.signature(type(module).__init__).parameters if name != "self"]
