"""The value of an expression, had again without any effect: no code of the user's runs, nothing of theirs changes.

Names, attributes, subscripts, operators, and calls of torch functions known to be pure. Everything else is Refused.
"""

import ast
import builtins
import operator
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from shapeguard.explanation.bounds import Deadline, Refused, admit
from shapeguard.explanation.purity import ARRAYS, ATTRIBUTES, FUNCTIONAL, PURE, WRITING
from shapeguard.explanation.trust import (
    CONTAINERS,
    PLAIN,
    field_names,
    is_array,
    is_known,
    is_plain_tensor,
    is_size,
    is_torchs,
    pure_function_name,
)
from shapeguard.tensors import MISSING, is_tensor, static_attribute, type_name

BINARY: Mapping[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("add", operator.add),
    ast.Sub: ("sub", operator.sub),
    ast.Mult: ("mul", operator.mul),
    ast.Div: ("div", operator.truediv),
    ast.FloorDiv: ("floor_divide", operator.floordiv),
    ast.Mod: ("remainder", operator.mod),
    ast.Pow: ("pow", operator.pow),
    ast.MatMult: ("matmul", operator.matmul),
    ast.BitAnd: ("bitwise_and", operator.and_),
    ast.BitOr: ("bitwise_or", operator.or_),
    ast.BitXor: ("bitwise_xor", operator.xor),
}
COMPARISONS: Mapping[type[ast.cmpop], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Eq: ("eq", operator.eq),
    ast.NotEq: ("ne", operator.ne),
    ast.Lt: ("lt", operator.lt),
    ast.LtE: ("le", operator.le),
    ast.Gt: ("gt", operator.gt),
    ast.GtE: ("ge", operator.ge),
    ast.Is: ("is", operator.is_),
    ast.IsNot: ("is not", operator.is_not),
}
UNARY: Mapping[type[ast.unaryop], tuple[str, Callable[[Any], Any]]] = {
    ast.USub: ("neg", operator.neg),
    ast.UAdd: ("pos", operator.pos),
    ast.Invert: ("bitwise_not", operator.invert),
    ast.Not: ("not", operator.not_),
}
_DICT_METHODS = frozenset({"items", "keys", "values", "get"})


class Reader:
    """Evaluates syntax trees in the names of one frame."""

    def __init__(self, local: Mapping[str, Any], others: Mapping[str, Any], deadline: Deadline) -> None:
        self.local = dict(local)
        self._globals = others
        self._deadline = deadline

    # --- what copies do otherwise

    def taken(self, value: Any) -> Any:
        """A value of the user's, as operations may use it."""
        return value

    def gradient(self, tensor: Any) -> Any:
        """What `tensor.grad` is."""
        return tensor.grad

    def call_module(self, module: Any, args: list[Any], keywords: dict[str, Any]) -> Any:  # noqa: ARG002
        """The result of calling an nn.Module; in place of the user's, since it may count and draw."""
        message = "modules keep state"
        raise Refused(message)

    def may_change(self, name: str) -> bool:  # noqa: ARG002
        """Whether an in-place method may run."""
        return False

    # --- expressions

    def value(self, node: ast.AST) -> Any:
        """What `node` evaluates to.

        Raises:
            Refused: it cannot be had without effects, or within the bounds.
            Exception: whatever the operations themselves raise.
        """
        self._deadline.check()
        handler: Callable[[Any], Any] | None = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handler is None:
            raise Refused(type(node).__name__)
        return handler(node)

    def read(self, node: ast.AST) -> Any:
        """As `value`, and MISSING where there is none."""
        try:
            return self.value(node)
        # Whatever an operand's own operation raises, its value is not known; the explanation goes on without it.
        except Exception:  # noqa: BLE001
            return MISSING

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _name(self, node: ast.Name) -> Any:
        for names in (self.local, self._globals, vars(builtins)):
            if node.id in names:
                if names[node.id] is MISSING:
                    break
                return self.taken(names[node.id])
        raise Refused(node.id)

    def _attribute(self, node: ast.Attribute) -> Any:
        owner = self.value(node.value)
        if is_plain_tensor(owner) or is_array(owner):
            if node.attr == "grad" and is_tensor(owner):
                return self.gradient(owner)
            if node.attr in ATTRIBUTES and hasattr(type(owner), node.attr):
                return getattr(owner, node.attr)
            raise Refused(node.attr)
        found: Any = MISSING
        if type(owner) is ModuleType:
            found = vars(owner).get(node.attr, MISSING)
        elif type(owner).__module__ == "torch.return_types":
            found = getattr(owner, node.attr, MISSING)
        elif node.attr in (fields := field_names(owner)):
            found = tuple.__getitem__(owner, fields.index(node.attr))
        else:
            found = static_attribute(owner, node.attr)
        if found is MISSING:
            raise Refused(node.attr)
        return self.taken(found)

    def _subscript(self, node: ast.Subscript) -> Any:
        owner, index = self.value(node.value), self.value(node.slice)
        if is_plain_tensor(owner) or is_array(owner):
            admit("index", [owner, index])
            return owner[index]
        if type(owner) in (list, tuple, dict, str) or type(owner).__module__ in ("torch", "torch.return_types"):
            if type(index) in (int, slice, str):
                return self.taken(owner[index])
        elif field_names(owner) and type(index) is int:
            return self.taken(tuple.__getitem__(owner, index))
        raise Refused(type_name(type(owner)))

    def _slice(self, node: ast.Slice) -> slice:
        return slice(*(None if part is None else self.value(part) for part in (node.lower, node.upper, node.step)))

    def _tuple(self, node: ast.Tuple) -> tuple[Any, ...]:
        return tuple(self._elements(node.elts))

    def _list(self, node: ast.List) -> list[Any]:
        return self._elements(node.elts)

    def _elements(self, nodes: list[ast.expr]) -> list[Any]:
        values: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                values += self._sequence(node.value)
            else:
                values.append(self.value(node))
        return values

    def _sequence(self, node: ast.expr) -> list[Any]:
        value = self.value(node)
        if type(value) in (list, tuple) or type(value).__module__ == "torch":
            return list(value)
        message = "not a plain sequence"
        raise Refused(message)

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        if None in node.keys:
            message = "a merged dict"
            raise Refused(message)
        return {self.value(key): self.value(value) for key, value in zip(node.keys, node.values, strict=True) if key}

    def _ifexp(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self._truth(node.test) else node.orelse)

    def _truth(self, node: ast.expr) -> bool:
        value = self.value(node)
        if type(value) in (*PLAIN, *CONTAINERS) or is_plain_tensor(value):
            return bool(value)
        message = "the truth of a foreign value"
        raise Refused(message)

    def _boolop(self, node: ast.BoolOp) -> Any:
        value: Any = None
        for part in node.values:
            value = self.value(part)
            if self._truth(part) != isinstance(node.op, ast.And):
                return value
        return value

    def _namedexpr(self, node: ast.NamedExpr) -> Any:
        return self.value(node.value)

    def _binop(self, node: ast.BinOp) -> Any:
        name, function = BINARY.get(type(node.op), ("", operator.add))
        if not name:
            raise Refused(type(node.op).__name__)
        return self._operate(name, function, self.value(node.left), self.value(node.right))

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        name, function = UNARY[type(node.op)]
        return self._operate(name, function, self.value(node.operand))

    def _compare(self, node: ast.Compare) -> Any:
        if len(node.ops) > 1 or type(node.ops[0]) not in COMPARISONS:
            message = "a chain of comparisons"
            raise Refused(message)
        name, function = COMPARISONS[type(node.ops[0])]
        return self._operate(name, function, self.value(node.left), self.value(node.comparators[0]))

    def _operate(self, name: str, function: Callable[..., Any], *values: Any) -> Any:
        for value in values:
            if not (is_known(value) or name in ("is", "is not")):
                raise Refused(type_name(type(value)))
        numbers = [value for value in values if type(value) in (int, float)]
        if name == "pow" and any(abs(value) > 1000 for value in numbers):  # noqa: PLR2004  2 ** 10**9 fills the memory
            raise Refused(name)
        if any(type(value) in (*CONTAINERS, str) for value in values) and name == "mul":
            name = "mul_sequence"
        admit(name, values)
        return function(*values)

    # --- calls

    def _call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value)
            method = self._method(owner, node.func.attr)
            if method is not None:
                args, keywords = self._arguments(node)
                self._refuse_writing(node.func.attr, args, keywords)
                self.admit_call(node.func.attr, [owner, *args, *keywords.values()])
                return method(*args, **keywords)
        function = self.value(node.func)
        args, keywords = self._arguments(node)
        name = pure_function_name(function)
        if name is not None:
            self._refuse_writing(name, args, keywords)
            self.admit_call(name, [*args, *keywords.values()])
            return function(*args, **keywords)
        return self.call_module(function, args, keywords)

    def admit_call(self, name: str, values: list[Any]) -> None:
        """Raise Refused where the call must not run; every value in it has to be of a known kind."""
        self._deadline.check()
        for value in values:
            if not is_known(value) and not is_torchs(value):
                raise Refused(type_name(type(value)))
        admit(name, values)

    def _refuse_writing(self, name: str, args: list[Any], keywords: dict[str, Any]) -> None:
        """`out=`, `inplace=True` and the like would change what is the user's."""
        if self.may_change(name):
            return
        in_place = (
            "out" in keywords or keywords.get("inplace") or (name in FUNCTIONAL and any(arg is True for arg in args))
        )
        if in_place or name in WRITING:
            raise Refused(name)

    def _method(self, owner: Any, name: str) -> Callable[..., Any] | None:
        if is_plain_tensor(owner):
            pure = name in PURE or (
                name.endswith("_") and name[:-1] in PURE | {"zero", "fill"} and self.may_change(name)
            )
            if not pure:
                raise Refused(name)
            return getattr(owner, name)  # type: ignore[no-any-return]
        if is_array(owner) and name in ARRAYS:
            return getattr(owner, name)  # type: ignore[no-any-return]
        if (type(owner) is dict and name in _DICT_METHODS) or (is_size(owner) and name == "numel"):
            return getattr(owner, name)  # type: ignore[no-any-return]
        return None

    def _arguments(self, node: ast.Call) -> tuple[list[Any], dict[str, Any]]:
        keywords = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                message = "** of a mapping"
                raise Refused(message)
            keywords[keyword.arg] = self.value(keyword.value)
        return self._elements(node.args), keywords
