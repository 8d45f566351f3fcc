"""The line that built a layer, where the same text holds it, and repairs of it."""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shapeguard.explanation.bounds import Refused
from shapeguard.explanation.diagnosis import Candidate
from shapeguard.explanation.layers import constructor_parameters
from shapeguard.explanation.operation import Operation
from shapeguard.explanation.texts import edited
from shapeguard.tensors import MISSING


def constructor_of(operation: Operation) -> ast.Call | None:
    """The call that built the failing layer; None where no call, or more than one, can be it."""
    layer = operation.layer
    if layer is None:
        return None
    found = [call for call in _calls(operation, layer.kind) if _agrees(operation, call)]
    if len(found) > 1:
        found = [call for call in found if _stands_for(operation, call)] or found
    return found[0] if len(found) == 1 else None


def _calls(operation: Operation, kind: str) -> Iterator[ast.Call]:
    for node in ast.walk(operation.failure.close_tree()):
        if isinstance(node, ast.Call) and (
            (isinstance(node.func, ast.Attribute) and node.func.attr == kind)
            or (isinstance(node.func, ast.Name) and node.func.id == kind)
        ):
            yield node


def _agrees(operation: Operation, call: ast.Call) -> bool:
    """Whether the numbers written in the call are those of the layer."""
    assert operation.layer is not None  # noqa: S101  asked by constructor_of alone
    module = operation.layer.module
    given = arguments_of(operation, call)
    for name, node in given.items():
        if not hasattr(module, name) or any(isinstance(part, ast.Name) for part in ast.walk(node)):
            continue
        value = operation.reader.read(node)
        if type(value) is int and getattr(module, name) not in (value, (value,), (value,) * 2, (value,) * 3):
            return False
    return bool(given)


def arguments_of(operation: Operation, call: ast.Call) -> dict[str, ast.expr]:
    """The arguments of a constructor call by name."""
    assert operation.layer is not None  # noqa: S101
    names = constructor_parameters(operation.layer.module)
    if any(isinstance(arg, ast.Starred) for arg in call.args):
        return {}
    if names[:1] == ["args"]:
        names = ["input_size", "hidden_size", "num_layers"]
    given: dict[str, ast.expr] = dict(zip(names, call.args, strict=False))
    given.update({keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None})
    return given


def _stands_for(operation: Operation, call: ast.Call) -> bool:
    """Whether the layer's name in its path is what the call is assigned to, or its place among its siblings."""
    assert operation.layer is not None  # noqa: S101
    name = operation.layer.path.rpartition(".")[2]
    for node in ast.walk(operation.failure.close_tree()):
        if isinstance(node, ast.Assign) and node.value is call:
            target = node.targets[0]
            return name == (target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", None))
        if isinstance(node, ast.Call) and call in node.args and name.isdigit():
            return node.args.index(call) == int(name)
    return False


def rebuilt(operation: Operation, changes: Mapping[str, int | str], title: str = "") -> list[Candidate]:
    """The layer's constructor with some arguments changed or added; nothing where it is not to be found."""
    call = constructor_of(operation)
    if call is None:
        return []
    text = _changed(operation, call, changes)
    return _replacing(operation, call, text, title or text)


def replaced(operation: Operation, text_of: str) -> list[Candidate]:
    """Another class of layer with the same arguments: `BatchNorm2d` for `BatchNorm1d`."""
    call = constructor_of(operation)
    if call is None or operation.layer is None:
        return []
    name = operation.text(call.func)
    text = name.removesuffix(operation.layer.kind) + text_of + operation.text(call)[len(name) :]
    return _replacing(operation, call, text, text)


def preceded(operation: Operation, layer: str, changes: Mapping[str, int | str] | None = None) -> list[Candidate]:
    """A further layer before the failing one, where both stand in one Sequential."""
    call = constructor_of(operation)
    if call is None or operation.layer is None:
        return []
    if not any(
        isinstance(node, ast.Call) and _is_sequential(node) and call in node.args
        for node in ast.walk(operation.failure.close_tree())
    ):
        return []
    prefix = operation.text(call.func).removesuffix(operation.layer.kind)
    first, second = f"{prefix}{layer}", _changed(operation, call, changes or {})
    return _replacing(operation, call, second, f"{first} before {second}", first)


def _is_sequential(node: ast.Call) -> bool:
    return ast.unparse(node.func).endswith("Sequential")


def _changed(operation: Operation, call: ast.Call, changes: Mapping[str, int | str]) -> str:
    given = arguments_of(operation, call)
    edits: Sequence[tuple[ast.AST, str]] = [
        (given[name], str(value)) for name, value in changes.items() if name in given
    ]
    text = edited(operation.failure.text, call, edits)
    added = [f"{name}={value}" for name, value in changes.items() if name not in given]
    return f"{text[:-1]}{', ' * bool(given)}{', '.join(added)})" if added else text


def _known(operation: Operation, call: ast.expr, reader: Any) -> ast.expr:
    """The call with the layer's own numbers for arguments whose names are of another scope."""
    assert isinstance(call, ast.Call)  # noqa: S101  it was made from one
    assert operation.layer is not None  # noqa: S101
    given = arguments_of(operation, call)
    unknown = {id(node): name for name, node in given.items() if reader.read(node) is MISSING}
    numbers = {name: getattr(operation.layer.module, name, MISSING) for name in unknown.values()}
    if any(type(number) not in (int, float, bool, tuple) for number in numbers.values()):
        message = "an argument that the layer does not keep"
        raise Refused(message)
    call.args = [ast.Constant(numbers[unknown[id(a)]]) if id(a) in unknown else a for a in call.args]
    for keyword in call.keywords:
        if id(keyword.value) in unknown:
            keyword.value = ast.Constant(numbers[unknown[id(keyword.value)]])
    return call


def _replacing(
    operation: Operation, call: ast.Call, layer_text: str, title: str, before: str | None = None
) -> list[Candidate]:
    inputs = [argument.value for argument in operation.args]
    keywords = {name: argument.value for name, argument in operation.keywords.items()}

    def replay(reader: Any) -> Any:
        torch = sys.modules["torch"]
        values = [reader.taken(value) for value in inputs]
        named = {name: reader.taken(value) for name, value in keywords.items()}
        if before is not None:
            first = reader.value(ast.parse(before, mode="eval").body)
            values = [first.forward(*values)]
        module = reader.value(_known(operation, ast.parse(layer_text, mode="eval").body, reader))
        if not isinstance(module, torch.nn.Module):
            message = "no layer"
            raise Refused(message)
        assert operation.layer is not None  # noqa: S101
        module.train(operation.layer.module.training)
        return module.forward(*values, **named)

    text = layer_text if before is None else f"{before}, {layer_text}"
    return [Candidate(title, ((call, text),), replay)]
