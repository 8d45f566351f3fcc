"""shapeguard says what every tensor is, enforces what it should be, and explains it when it is not.

`%load_ext shapeguard` annotates each result of a notebook cell; `@guard` enforces jaxtyping annotations at call time.
Names are imported on first use, so that importing shapeguard costs nothing and never imports torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapeguard.enforcement import (
        Binary,
        Detached,
        Finite,
        Leaf,
        RequiresGrad,
        TypeCheckError,
        guard,
        install_import_hook,
    )
    from shapeguard.excepthook import install_excepthook
    from shapeguard.session import annotate, explain
    from shapeguard.tensors import describe

__version__ = "0.1.0"

_HOMES = {
    **dict.fromkeys(("Binary", "Detached", "Finite", "Leaf", "RequiresGrad"), "shapeguard.enforcement"),
    "TypeCheckError": "shapeguard.enforcement",
    "annotate": "shapeguard.session",
    "describe": "shapeguard.tensors",
    "explain": "shapeguard.session",
    "guard": "shapeguard.enforcement",
    "install_excepthook": "shapeguard.excepthook",
    "install_import_hook": "shapeguard.enforcement",
}

__all__ = [
    "Binary",
    "Detached",
    "Finite",
    "Leaf",
    "RequiresGrad",
    "TypeCheckError",
    "annotate",
    "describe",
    "explain",
    "guard",
    "install_excepthook",
    "install_import_hook",
    "load_ipython_extension",
    "unload_ipython_extension",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext shapeguard`."""
    import_module("ipython_ext").load_ipython_extension(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext shapeguard`."""
    import_module("ipython_ext").unload_ipython_extension(shell)
