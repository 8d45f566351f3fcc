"""How shapes, dtypes and dims are written: `f32[6, 10, 8]`, and jaxtyping's `"*batch n d+1"`."""

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from shapeguard.errors import NotationError
from shapeguard.records import Spec

SHORT_DTYPES = {
    "float16": "f16",
    "float32": "f32",
    "float64": "f64",
    "bfloat16": "bf16",
    "complex32": "c32",
    "complex64": "c64",
    "complex128": "c128",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "uint8": "u8",
    "uint16": "u16",
    "uint32": "u32",
    "uint64": "u64",
    "bool": "bool",
}


def brief(spec: Spec) -> str:
    """What a value is in the fewest words: dtype and shape where it has them, else its type's own name.

    >>> brief(Spec(kind="tensor", type="torch.Tensor", shape=(6, 10), dtype="int64"))
    'i64[6, 10]'
    >>> brief(Spec(kind="container", type="dict", traits=(("len", "2"),)))
    'dict of 2'
    """
    if spec.shape is None:
        name = spec.type.rpartition(".")[2]
        return f"{name} of {spec.trait('len') or '…'}" if spec.kind == "container" else name
    dtype = spec.dtype or "?"
    return f"{SHORT_DTYPES.get(dtype, dtype)}{shape_text(spec)}"


def shape_text(spec: Spec) -> str:
    """The shape alone, each dim with its name where it has one: `[B=6, 10]`.

    >>> shape_text(Spec(kind="tensor", type="torch.Tensor", shape=(6, 10), dims=("B", None)))
    '[B=6, 10]'
    """
    sizes = spec.shape or ()
    names = spec.dims or (None,) * len(sizes)
    return f"[{', '.join(str(size) if name is None else f'{name}={size}' for size, name in zip(sizes, names, strict=True))}]"


# --- dims


@dataclass(frozen=True, slots=True)
class FixedDim:
    """`4`, or `rows=4`, where `rows` is for the reader only."""

    size: int
    label: str | None = None
    broadcastable: bool = False


@dataclass(frozen=True, slots=True)
class NamedDim:
    """`d`; `?d` is bound for each leaf of a PyTree on its own."""

    name: str
    broadcastable: bool = False
    per_leaf: bool = False


@dataclass(frozen=True, slots=True)
class VariadicDim:
    """`*batch`: any number of dims under one name."""

    name: str
    broadcastable: bool = False
    per_leaf: bool = False


@dataclass(frozen=True, slots=True)
class SymbolicDim:
    """`d+1`, or `{self.n}`, whose braces hold any Python expression."""

    expression: str
    broadcastable: bool = False


@dataclass(frozen=True, slots=True)
class AnonymousDim:
    """`_`, or `_rows`: one dim of any size, which binds nothing."""

    label: str = ""


@dataclass(frozen=True, slots=True)
class AnonymousVariadicDim:
    """`...`: any number of dims, which bind nothing."""


Dim: TypeAlias = FixedDim | NamedDim | VariadicDim | SymbolicDim | AnonymousDim | AnonymousVariadicDim


def parse_dims(text: str) -> tuple[Dim, ...]:
    """The dims that jaxtyping reads in `text`.

    Raises:
        NotationError: jaxtyping refuses `text`, or a dim in it has no name; the message quotes the dim.

    >>> parse_dims("b d+1")
    (NamedDim(name='b', broadcastable=False, per_leaf=False), SymbolicDim(expression='d+1', broadcastable=False))
    """
    dims = tuple(_parse_dim(word) for word in text.split())
    if sum(is_variadic(dim) for dim in dims) > 1:
        message = f"{text!r}: only one dim can be variadic"
        raise NotationError(message)
    return dims


def dims_text(dims: Iterable[Dim]) -> str:
    """The dims as jaxtyping reads them.

    >>> dims_text((VariadicDim("batch"), FixedDim(3, "rgb")))
    '*batch rgb=3'
    """
    return " ".join(dim_text(dim) for dim in dims)


def dim_text(dim: Dim) -> str:
    """One dim as jaxtyping reads it.

    >>> dim_text(NamedDim("d", broadcastable=True))
    '#d'
    """
    match dim:
        case FixedDim(size, label, broadcastable):
            return f"{'#' * broadcastable}{size if label is None else f'{label}={size}'}"
        case NamedDim(name, broadcastable, per_leaf):
            return f"{'#' * broadcastable}{'?' * per_leaf}{name}"
        case VariadicDim(name, broadcastable, per_leaf):
            return f"*{'#' * broadcastable}{'?' * per_leaf}{name}"
        case SymbolicDim(expression, broadcastable):
            return f"{'#' * broadcastable}{expression}"
        case AnonymousDim(label):
            return f"_{label}"
        case AnonymousVariadicDim():
            return "..."


def is_variadic(dim: Dim) -> bool:
    """Whether a dim takes any number of positions."""
    return isinstance(dim, (VariadicDim, AnonymousVariadicDim))


_MARKS = "#*_?"


def _parse_dim(word: str) -> Dim:
    if "," in word and "(" not in word:
        raise _refused(word, "dims are separated by spaces")
    if word.endswith("#"):
        raise _refused(word, "# goes before the dim")
    if word == "...":
        return AnonymousVariadicDim()
    if "..." in word:
        raise _refused(word, "... stands alone")
    marks, label, rest = _split_marks(word)
    if "_" in marks:
        return _anonymous(word, marks, rest)
    broadcastable, per_leaf = "#" in marks, "?" in marks
    if rest.isidentifier():
        kind = VariadicDim if "*" in marks else NamedDim
        return kind(rest, broadcastable, per_leaf)
    if not rest:
        raise _refused(word, "a dim needs a name or a size")
    if marks - {"#"}:
        raise _refused(word, "only a name takes * or ?")
    try:
        return FixedDim(int(rest), label, broadcastable)
    except ValueError:
        return SymbolicDim(rest, broadcastable)


def _split_marks(word: str) -> tuple[set[str], str | None, str]:
    marks: set[str] = set()
    label = None
    rest = word
    while rest:
        if rest[0] in _MARKS:
            if rest[0] in marks:
                raise _refused(word, f"{rest[0]} stands twice")
            marks.add(rest[0])
            rest = rest[1:]
        elif rest.count("=") == 1:
            label, rest = rest.split("=")
        else:
            break
    return marks, label, rest


def _anonymous(word: str, marks: set[str], rest: str) -> Dim:
    if rest and not rest.isidentifier():
        raise _refused(word, "only a name can be anonymous")
    if "#" in marks:
        raise _refused(word, "an anonymous dim fits every size, # adds nothing")
    return AnonymousVariadicDim() if "*" in marks else AnonymousDim(rest)


def _refused(word: str, rule: str) -> NotationError:
    return NotationError(f"{word!r}: {rule}")


# --- symbolic dims

MAX_EXPONENT = 64

_OPERATORS: Mapping[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


def evaluate(expression: str, sizes: Mapping[str, int]) -> float | None:
    """What a symbolic dim amounts to; None where it is more than arithmetic over `sizes`. Never runs code.

    >>> evaluate("2*d+1", {"d": 4})
    9
    >>> evaluate("open(d)", {"d": 4}) is None
    True
    """
    try:
        return _value(ast.parse(expression, mode="eval").body, sizes)
    except (SyntaxError, ValueError, KeyError, ArithmeticError, RecursionError, MemoryError, TypeError):
        return None


def names_in(expression: str) -> tuple[str, ...]:
    """The names that a symbolic dim mentions, in order, each once.

    >>> names_in("2*d+n-d")
    ('d', 'n')
    """
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return tuple(dict.fromkeys(node.id for node in sorted(found, key=lambda node: node.col_offset)))


def _value(node: ast.expr, sizes: Mapping[str, int]) -> float:
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return number
        case ast.Name(id=name):
            return sizes[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, sizes)
        case ast.BinOp(left=left, op=op, right=right):
            first, second = _value(left, sizes), _value(right, sizes)
            if isinstance(op, ast.Pow) and abs(second) > MAX_EXPONENT:
                raise ValueError
            return _OPERATORS[type(op)](first, second)
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=[_, _, *_] as arguments, keywords=[]) if (
            name not in sizes
        ):
            return (min if name == "min" else max)(_value(argument, sizes) for argument in arguments)
        case _:
            raise ValueError
