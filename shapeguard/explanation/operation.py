"""The operation that failed: its name in torch's words, its operands as they were written, and what they were."""

import ast
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from shapeguard.explanation.failure import Failure
from shapeguard.explanation.layers import Layer, failing_layer, is_module, is_torch_module_class
from shapeguard.explanation.purity import RANDOM
from shapeguard.explanation.reading import BINARY, COMPARISONS, UNARY, Reader
from shapeguard.explanation.texts import segment
from shapeguard.explanation.trust import is_plain_tensor, pure_function_name
from shapeguard.records import Conflict, Operand, Spec
from shapeguard.tensors import MISSING, describe, is_tensor, is_tensor_like

MAX_ELEMENTS = 16
MAX_TEXT = 80
_ROUTINES = (FunctionType, BuiltinFunctionType, MethodType)


@dataclass(eq=False, slots=True)
class Argument:
    """One operand: where and how it was written, and its value. Holds the user's value: read it, then drop it."""

    text: str
    value: Any
    node: ast.expr | None = None
    """None where the operand was not written as such: an element of a list, the input of an inner layer."""
    parts: "list[Argument] | None" = None
    """Its elements, once they were asked for."""
    is_exact: bool = False
    """Whether the value is the very one that the operation was given, rather than one that was computed again."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes; () for what is no tensor."""
        return tuple(self.value.shape) if self.is_tensor else ()

    @property
    def ndim(self) -> int:
        """The count of its dims."""
        return len(self.shape)

    @property
    def has_data(self) -> bool:
        """Whether its elements are those of the failure: not so if they were drawn again."""
        return self.is_exact or self.node is None or not any(_draws(node) for node in ast.walk(self.node))

    @property
    def is_tensor(self) -> bool:
        """Whether it is a plain tensor."""
        return is_plain_tensor(self.value)

    @property
    def dtype(self) -> str:
        """`float32`, or an empty text for what is no tensor."""
        return str(self.value.dtype).removeprefix("torch.") if self.is_tensor else ""

    def spec(self) -> Spec:
        """Its record. Of what was computed again only what cannot differ is said."""
        spec = describe(self.value)
        if isinstance(self.node, (ast.Name, ast.Attribute)) or self.node is None:
            return spec
        return replace(spec, requires_grad=None, grad_fn=None, is_leaf=None)


@dataclass(eq=False, slots=True)
class Operation:
    """What failed, for the rules."""

    failure: Failure
    name: str
    """`matmul`, `add_`, `cat`, `getitem`, the class of a layer, …"""
    args: list[Argument]
    keywords: dict[str, Argument]
    reader: Reader
    layer: Layer | None = None
    """The layer that failed, or whose `forward` the expression stands in."""
    is_layer: bool = False
    """Whether the operation is the call of a layer of torch's own."""
    is_method: bool = False
    function: str = ""
    """The name as written: `torch.cat`, `self.fc`."""
    operands: list[Argument] = field(default_factory=list)

    @property
    def node(self) -> ast.AST:
        """The expression that failed."""
        return self.failure.node

    @property
    def message(self) -> str:
        """What the exception says."""
        return str(self.failure.error)

    def argument(self, position: int, *names: str) -> Argument | None:
        """The argument at a position or of one of these names."""
        for name in names:
            if name in self.keywords:
                return self.keywords[name]
        return self.args[position] if 0 <= position < len(self.args) else None

    def given(self, position: int, name: str, default: Any = None) -> Any:
        """The value of an argument; `default` where it is missing or not known."""
        found = self.argument(position, name)
        return default if found is None or found.value is MISSING else found.value

    def tensor(self, position: int, *names: str) -> Argument | None:
        """The argument, if it is a plain tensor."""
        found = self.argument(position, *names)
        return found if found is not None and found.is_tensor else None

    def tensors(self) -> list[Argument]:
        """All operands that are plain tensors."""
        return [operand for operand in self.operands if operand.is_tensor]

    def conflict(self, operand: Argument, dim: int | None, what: str, value: int | str) -> Conflict:
        """One side of a clash; the operand joins the finding's where it is not among them."""
        found = next((i for i, other in enumerate(self.operands) if _is_same(operand, other)), None)
        if found is None:
            found = len(self.operands)
            self.operands.append(operand)
        return Conflict(found, dim, what, value)

    def instead_of_parts(self, whole: Argument) -> None:
        """Make a sequence itself an operand, in place of its elements."""
        parts = elements_of(whole)
        kept = [operand for operand in self.operands if not any(operand is part for part in (*parts, whole))]
        self.operands[:] = [whole, *kept]

    def text(self, node: ast.AST) -> str:
        """A node as it was written."""
        return segment(self.failure.text, node)


def _draws(node: ast.AST) -> bool:
    name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
    return name in RANDOM


def operation_of(failure: Failure, reader: Reader) -> Operation:
    """The operation that a failure is about, with whatever of its operands can be known."""
    node = failure.node
    operation = Operation(failure, "", [], {}, reader, failing_layer(failure))
    match node:
        case ast.BinOp():
            operation.name = BINARY.get(type(node.op), ("operator", None))[0]
            operation.args = [_read(operation, node.left), _read(operation, node.right)]
        case ast.AugAssign():
            operation.name = BINARY.get(type(node.op), ("operator", None))[0] + "_"
            operation.args = [_read(operation, node.target), _read(operation, node.value)]
        case ast.Compare() if len(node.ops) == 1:
            operation.name = COMPARISONS.get(type(node.ops[0]), ("operator", None))[0]
            operation.args = [_read(operation, node.left), _read(operation, node.comparators[0])]
        case ast.UnaryOp():
            operation.name = UNARY[type(node.op)][0]
            operation.args = [_read(operation, node.operand)]
        case ast.Subscript():
            _subscript(operation, node)
        case ast.Attribute():
            operation.name = "attribute"
            operation.args = [_read(operation, node.value)]
        case ast.Call():
            _call(operation, node)
        case ast.expr():
            operation.name = "other"
            operation.args = [_read(operation, node)]
    for operand in _operands([*operation.args, *operation.keywords.values()]):
        if not any(_is_same(operand, other) for other in operation.operands):
            operation.operands.append(operand)
    return operation


def _is_same(first: Argument, second: Argument) -> bool:
    return first is second or (first.text == second.text and first.value is second.value)


def _read(operation: Operation, node: ast.expr) -> Argument:
    target = node
    if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
        target = ast.parse(ast.unparse(node), mode="eval").body
    return Argument(operation.text(node), operation.reader.read(target), node)


def _subscript(operation: Operation, node: ast.Subscript) -> None:
    operation.args = [_read(operation, node.value), _read(operation, node.slice)]
    operation.name = "getitem"
    if isinstance(node.ctx, ast.Store):
        operation.name = "setitem"
        statement = operation.failure.statement()
        if isinstance(statement, ast.Assign):
            operation.args.append(_read(operation, statement.value))


def _call(operation: Operation, node: ast.Call) -> None:
    operation.function = operation.text(node.func)
    args: list[Argument] = []
    if any(isinstance(arg, ast.Starred) for arg in node.args) or any(k.arg is None for k in node.keywords):
        spread = True
    else:
        spread = False
        args = [_read(operation, arg) for arg in node.args]
        operation.keywords = {k.arg: _read(operation, k.value) for k in node.keywords if k.arg is not None}
    function = operation.reader.read(node.func) if not isinstance(node.func, ast.Attribute) else MISSING
    if isinstance(node.func, ast.Attribute):
        owner = _read(operation, node.func.value)
        function = _function_of(operation, node.func, owner)
        if is_tensor(owner.value) or (owner.value is MISSING and function is MISSING):
            operation.name, operation.is_method = node.func.attr, True
            args.insert(0, owner)
    operation.args = args
    if not operation.name:
        operation.name = _function_name(function)
    layer = operation.layer
    if layer is not None and layer.is_torchs and layer.failed:
        operation.name, operation.is_layer = layer.kind, True
        _take_layer_inputs(operation, layer, direct=_is_call_of(layer, function, node) and not spread)
    else:
        _fill_from_inner_frame(operation)


def _is_call_of(layer: Layer, function: Any, node: ast.Call) -> bool:
    """Whether the call is of the failing layer itself; of `nn.Linear(3, 5)(x)` only another like it can be had."""
    if function is layer.module:
        return True
    return isinstance(node.func, ast.Call) and type(function) is type(layer.module) and "." not in layer.path


def _function_of(operation: Operation, node: ast.Attribute, owner: Argument) -> Any:
    if owner.value is MISSING or is_tensor(owner.value):
        return MISSING
    found = operation.reader.read(node)
    if found is MISSING and is_module(owner.value):
        # `model.load_state_dict`: a method of torch's own class, told by its name.
        return getattr(type(owner.value), node.attr, MISSING)
    return found


def _function_name(function: Any) -> str:
    pure = pure_function_name(function)
    if pure is not None:
        return pure
    if is_torch_module_class(function):
        return f"new:{function.__name__}"
    if type(function) not in _ROUTINES:
        return "call"
    name: str = function.__name__
    home = getattr(function, "__module__", None) or ""
    return name if home.startswith(("torch", "numpy", "builtins")) else "call"


def _take_layer_inputs(operation: Operation, layer: Layer, *, direct: bool) -> None:
    """What the failing layer was given is in the frame that called its `forward`, whoever computed it."""
    names = [name for name in inspect.signature(type(layer.module).forward).parameters if name != "self"]
    given = [*operation.args, *operation.keywords.values()]
    written, by_name = (operation.args, operation.keywords) if direct else ([], {})
    operation.args, operation.keywords = [], {}
    for index, value in enumerate(layer.args):
        # The first layer of a Sequential gets what the user gave to the whole.
        same = next((argument for argument in given if argument.value is value and is_tensor(value)), None)
        if direct and index < len(written):
            operation.args.append(Argument(written[index].text, value, written[index].node, is_exact=True))
        elif same is not None:
            operation.args.append(same)
        else:
            label = f"input of {layer.path}" if index == 0 else f"{names[index]} of {layer.path}"
            operation.args.append(Argument(label, value))
    for name, value in layer.keywords.items():
        at = by_name.get(name)
        operation.keywords[name] = (
            Argument(at.text, value, at.node, is_exact=True) if at else Argument(f"{name} of {layer.path}", value)
        )


def _fill_from_inner_frame(operation: Operation) -> None:
    """Where an operand is the result of the user's own function, torch's frame below still holds it."""
    inner = operation.failure.inner
    if not inner or operation.is_method or all(arg.value is not MISSING and arg.has_data for arg in operation.args):
        return
    code = inner[0].frame.f_code
    if operation.name not in (code.co_name, "call"):
        return
    for arg, name in zip(operation.args, code.co_varnames[: code.co_argcount], strict=False):
        if arg.value is MISSING or not arg.has_data:
            arg.value = inner[0].frame.f_locals.get(name, arg.value)
            arg.is_exact = True


def _operands(arguments: Sequence[Argument]) -> Iterator[Argument]:
    for argument in arguments:
        if argument.value is MISSING:
            continue
        if type(argument.value) in (list, tuple) and is_tensor_like(describe(argument.value)):
            yield from elements_of(argument)
        elif is_tensor_like(describe(argument.value)):
            yield argument


def elements_of(argument: Argument) -> list[Argument]:
    """The elements of a sequence, each as it was written, or as `xs[2]`."""
    if argument.parts is not None:
        return argument.parts
    values = argument.value if type(argument.value) in (list, tuple) else ()
    nodes: list[ast.expr] = []
    if isinstance(argument.node, (ast.List, ast.Tuple)) and len(argument.node.elts) == len(values):
        nodes = argument.node.elts
    elements = []
    for index, value in enumerate(values[:MAX_ELEMENTS]):
        node = nodes[index] if nodes and not isinstance(nodes[index], ast.Starred) else None
        text = ast.unparse(node) if node is not None else f"{argument.text}[{index}]"
        elements.append(Argument(text, value, node))
    argument.parts = elements
    return elements


def operand_record(argument: Argument, span: Any) -> Operand:
    """The record of an operand."""
    return Operand(shortened(argument.text), None if argument.node is None else span(argument.node), argument.spec())


def shortened(text: str, limit: int = MAX_TEXT) -> str:
    """A text on one line, cut in the middle where it is long."""
    flat = " ".join(text.split())
    half = (limit - 3) // 2
    return flat if len(flat) <= limit else f"{flat[:half]} … {flat[-half:]}"
