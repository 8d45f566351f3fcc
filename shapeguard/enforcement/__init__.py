"""Guards: jaxtyping annotations enforced through beartype at call time."""

from jaxtyping import TypeCheckError

from shapeguard.enforcement.contracts import Binary, Detached, Finite, Leaf, RequiresGrad
from shapeguard.enforcement.guard import guard
from shapeguard.enforcement.import_hook import install_import_hook
from shapeguard.enforcement.violation import finding_of

__all__ = [
    "Binary",
    "Detached",
    "Finite",
    "Leaf",
    "RequiresGrad",
    "TypeCheckError",
    "finding_of",
    "guard",
    "install_import_hook",
]
