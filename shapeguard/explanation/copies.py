"""Running changed code on copies: of tensors clones, of torch's own layers deep copies; no user function, no trace left."""

import ast
import copy
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any

from shapeguard.explanation.bounds import MAX_WORK, Deadline, Refused, TooLarge
from shapeguard.explanation.layers import is_module, is_torch_module_class
from shapeguard.explanation.reading import BINARY, Reader
from shapeguard.explanation.trust import is_array, is_plain_tensor
from shapeguard.tensors import is_tensor

MAX_BYTES = 64_000_000
"""Of all clones for one candidate."""
MAX_PARAMETERS = 2_000_000


@contextmanager
def laboratory(*, grad: bool = False) -> Iterator[None]:
    """The random stream comes back as it was, no override of the user's is asked, and unless `grad` no graph is made."""
    torch = sys.modules["torch"]
    if torch._C._len_torch_dispatch_stack():  # noqa: SLF001  a mode of the user's would see every operation
        message = "a dispatch mode is active"
        raise Refused(message)
    with (
        warnings.catch_warnings(),
        torch.random.fork_rng(devices=[]),
        torch.set_grad_enabled(grad),
        torch._C.DisableTorchFunction(),  # noqa: SLF001
    ):
        warnings.simplefilter("ignore")
        yield


class Copies(Reader):
    """Evaluates expressions and statements on copies."""

    def __init__(self, local: Mapping[str, Any], others: Mapping[str, Any], deadline: Deadline) -> None:
        super().__init__(local, others, deadline)
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._layers: dict[int, tuple[Any, Any]] = {}
        self._own: dict[int, Any] = {}
        self._originals: dict[int, Any] = {}
        self._bytes = 0

    def taken(self, value: Any) -> Any:
        """A copy of the user's value; the same copy each time. What was computed here is no one else's."""
        if id(value) in self._own:
            return value
        if id(value) in self._copies:
            return self._copies[id(value)][1]
        copied = self._copied(value, 0)
        # The original is kept beside its copy, so that no other object takes over its id.
        self._copies[id(value)] = (value, copied)
        self._originals[id(copied)] = value
        self._keep(copied)
        return copied

    def gradient(self, tensor: Any) -> Any:
        """A copy of the gradient of the original."""
        return self.taken(self._originals.get(id(tensor), tensor).grad)

    def _keep(self, value: Any) -> None:
        self._own[id(value)] = value
        if type(value) in (list, tuple):
            for entry in value:
                self._own[id(entry)] = entry
        elif type(value) is dict:
            self._own.update((id(entry), entry) for entry in value.values())

    def _copied(self, value: Any, depth: int) -> Any:
        if is_plain_tensor(value):
            return self.cloned(value)
        if is_array(value):
            return value.copy()
        if type(value) in (list, tuple) and depth < 3 and len(value) <= 64:  # noqa: PLR2004
            return type(value)(self._copied(entry, depth + 1) for entry in value)
        if type(value) is dict and depth < 3 and len(value) <= 64:  # noqa: PLR2004
            return {key: self._copied(entry, depth + 1) for key, entry in value.items()}
        if is_tensor(value) or type(value) in (list, tuple, dict):
            message = "not copied"
            raise Refused(message)
        return value

    def cloned(self, tensor: Any) -> Any:
        """A clone of one tensor."""
        self._bytes += tensor.numel() * tensor.element_size()
        if self._bytes > MAX_BYTES or tensor.device.type != "cpu":
            message = "too large, or on a device"
            raise TooLarge(message)
        return tensor.detach().clone()

    def may_change(self, name: str) -> bool:  # noqa: ARG002
        """Copies may be changed."""
        return True

    def call_module(self, module: Any, args: list[Any], keywords: dict[str, Any]) -> Any:
        """The result of one of torch's own layers, on a copy of it; or a new layer of such a class."""
        self.admit_call("module", [*args, *keywords.values()])
        if is_torch_module_class(module):
            numbers = [value for value in [*args, *keywords.values()] if type(value) is int]
            if prod(max(1, abs(number)) for number in numbers) > MAX_PARAMETERS:
                raise TooLarge(module.__name__)
            return module(*args, **keywords)
        if not is_module(module) or not runs_only_torch(module):
            message = "a user's module or function"
            raise Refused(message)
        copied = self.layer(module)
        if work_of(copied, [*args, *keywords.values()]) > MAX_WORK:
            raise TooLarge(type(module).__name__)
        return copied.forward(*args, **keywords)

    def layer(self, module: Any) -> Any:
        """A copy of a layer."""
        if id(module) not in self._layers:
            count = sum(parameter.numel() for parameter in module.parameters())
            if count > MAX_PARAMETERS or any(p.device.type != "cpu" for p in module.parameters()):
                raise TooLarge(type(module).__name__)
            self._layers[id(module)] = (module, copy.deepcopy(module))
        return self._layers[id(module)][1]

    # --- statements

    def run(self, statement: ast.stmt) -> None:
        """Execute one statement on copies.

        Raises:
            Refused: its effects cannot be known.
            Exception: whatever it raises itself.
        """
        match statement:
            case ast.Assign(targets=[target], value=value):
                self.bind(target, self.value(value))
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.bind(target, self.value(value))
            case ast.AugAssign():
                self._augment(statement)
            case ast.Return(value=ast.expr() as value) | ast.Expr(value=value):
                self.value(value)
            case ast.Assert(test=test):
                if not self._truth(test):
                    raise AssertionError
            case ast.Pass():
                return
            case _:
                raise Refused(type(statement).__name__)

    def bind(self, target: ast.expr, value: Any) -> None:
        """Give names their values."""
        self._keep(value)
        if isinstance(target, ast.Name):
            self.local[target.id] = value
        elif (isinstance(target, (ast.Tuple, ast.List)) and type(value) in (tuple, list)) or is_plain_tensor(value):
            names = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
            if isinstance(target, ast.Subscript):
                owner, index = self.value(target.value), self.value(target.slice)
                if not is_plain_tensor(owner):
                    message = "not a tensor"
                    raise Refused(message)
                owner[index] = value
                return
            for name, part in zip(names, value, strict=True):
                self.bind(name, part)
        elif isinstance(target, ast.Subscript) and is_plain_tensor(owner := self.value(target.value)):
            owner[self.value(target.slice)] = value
        else:
            raise Refused(type(target).__name__)

    def _augment(self, statement: ast.AugAssign) -> None:
        name, _ = BINARY.get(type(statement.op), ("", None))
        target = ast.parse(ast.unparse(statement.target), mode="eval").body
        owner, other = self.value(target), self.value(statement.value)
        if is_plain_tensor(owner):
            self.admit_call(name, [owner, other])
            method = {"remainder": "remainder_", "matmul": None}.get(name, f"{name}_")
            if method is None:
                raise Refused(name)
            # `x[i] += y` and `x.data += y` change what they name; a plain name keeps its tensor, too.
            getattr(owner, method)(other)
        else:
            self.bind(statement.target, self.value(ast.BinOp(target, statement.op, statement.value)))


class Beside(Copies):
    """Reads the user's own values, for what their operations gave; layers run on copies, since they may change both."""

    def taken(self, value: Any) -> Any:
        """The value itself."""
        return value

    def may_change(self, name: str) -> bool:  # noqa: ARG002
        """Nothing here may be changed."""
        return False

    def gradient(self, tensor: Any) -> Any:
        """The gradient itself."""
        return tensor.grad

    def call_module(self, module: Any, args: list[Any], keywords: dict[str, Any]) -> Any:
        """As on copies, with copies of what it is given: some layers work in place."""
        copied = [self._copied(value, 0) for value in args]
        return super().call_module(module, copied, {name: self._copied(value, 0) for name, value in keywords.items()})

    def run(self, statement: ast.stmt) -> None:
        """No statement runs on the user's own values."""
        raise Refused(type(statement).__name__)


def runs_only_torch(module: Any) -> bool:
    """Whether calling a module runs code of torch's own layers only: no class, no hook, no `forward` of the user's."""
    hooks = sys.modules["torch.nn.modules.module"]
    if hooks._global_forward_hooks or hooks._global_forward_pre_hooks:  # noqa: SLF001
        return False
    stack, seen = [module], 0
    while stack:
        layer = stack.pop()
        state = vars(layer)
        seen += 1
        if seen > 64 or not is_torch_module_class(type(layer)) or "forward" in state:  # noqa: PLR2004
            return False
        if state.get("_forward_hooks") or state.get("_forward_pre_hooks"):
            return False
        if any(not is_plain_tensor(value) for value in state["_parameters"].values() if value is not None):
            return False
        stack += [child for child in state["_modules"].values() if child is not None]
    return True


def work_of(module: Any, values: list[Any]) -> int:
    """An upper bound of the multiplications that a call takes."""
    count: int = sum(parameter.numel() for parameter in module.parameters())
    elements: int = sum(value.numel() for value in values if is_tensor(value))
    channels: int = max(1, getattr(module, "in_channels", 0) or getattr(module, "in_features", 0) or 1)
    recurrent = getattr(module, "hidden_size", 0)
    if recurrent:
        channels = max(1, getattr(module, "input_size", 1))
    return max(elements, 1) * max(count, 1) // channels


class StandIns(Copies):
    """Small CPU tensors in place of large ones and of those on devices: each large size has a small one of its own."""

    KEPT = 16
    PRIMES = (17, 19, 23, 29, 31, 37, 41, 43, 47, 53)

    def __init__(self, local: Mapping[str, Any], others: Mapping[str, Any], deadline: Deadline) -> None:
        super().__init__(local, others, deadline)
        self.sizes: dict[int, int] = {}
        self.devices: set[str] = set()

    def cloned(self, tensor: Any) -> Any:
        """A tensor of ones, of the small sizes."""
        self.devices.add(str(tensor.device))
        torch = sys.modules["torch"]
        return torch.ones([self._small(size) for size in tensor.shape], dtype=tensor.dtype, device="cpu")

    def layer(self, module: Any) -> Any:
        """A layer has its own sizes, which stand-ins do not fit."""
        raise TooLarge(type(module).__name__)

    def _small(self, size: int) -> int:
        if size <= self.KEPT:
            return size
        if size not in self.sizes:
            if len(self.sizes) == len(self.PRIMES):
                message = "too many sizes"
                raise Refused(message)
            self.sizes[size] = self.PRIMES[len(self.sizes)]
        return self.sizes[size]

    def original(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """The sizes that a result would have had; None where that is not known."""
        back = {small: size for size, small in self.sizes.items()}
        if any(size > self.KEPT and size not in back for size in shape):
            return None
        return tuple(back.get(size, size) for size in shape)
