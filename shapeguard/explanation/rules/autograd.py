"""In-place changes of leaves, and backward: non-scalar, without grad, twice, unused."""

import ast
from collections.abc import Iterator
from typing import Any

from shapeguard.explanation.diagnosis import Candidate, Diagnosis, Rules, grouped, rule, sizes_text
from shapeguard.explanation.operation import Argument, Operation


def _leaf(operation: Operation) -> Diagnosis | None:
    target = operation.tensor(0)
    if target is None or "leaf" not in operation.message or "in-place" not in operation.message:
        return None
    base = target.value
    if not (base.requires_grad and base.is_leaf) and "view of a leaf" not in operation.message:
        return None
    return Diagnosis(
        "in-place-leaf",
        f"{target.text} is a leaf that requires grad: a change in place would be part of the graph that ends at it",
        (operation.conflict(target, None, "attribute", "leaf that requires grad"),),
        candidates=tuple(_without_grad(operation, target)),
    )


def _without_grad(operation: Operation, target: Argument) -> Iterator[Candidate]:
    statement = operation.failure.statement()
    if statement is None or not isinstance(statement, (ast.AugAssign, ast.Assign, ast.Expr)):
        return
    indent = " " * statement.col_offset
    text = operation.text(statement)
    # A with-statement cannot stand behind a semicolon or another statement of its line.
    if "\n" not in text and _stands_alone(operation, statement):
        node: ast.AST = operation.node if operation.node is statement else statement
        yield Candidate("without a graph", ((node, f"with torch.no_grad():\n{indent}    {text}"),))
    if target.node is not None and not isinstance(target.node, ast.Subscript):
        yield Candidate("through .data", ((target.node, f"{grouped(target)}.data"),))


def _stands_alone(operation: Operation, statement: ast.stmt) -> bool:
    line = operation.failure.text.splitlines()[statement.lineno - 1]
    written = operation.text(statement)
    return line.strip().partition("#")[0].strip() == written


def _backward(operation: Operation) -> Diagnosis | None:
    message = operation.message
    loss = operation.args[0] if operation.args else None
    if loss is None or not loss.is_tensor:
        return None
    if "only for scalar outputs" in message:
        return _not_scalar(operation, loss)
    if "does not require grad" in message:
        return Diagnosis(
            "backward-no-grad",
            f"{loss.text} does not require grad and has no grad_fn: nothing that it was computed from requires grad, "
            "or the graph was cut by detach, item or no_grad",
            (operation.conflict(loss, None, "attribute", "no grad_fn"),),
        )
    if "second time" in message:
        return Diagnosis(
            "backward-twice",
            f"an earlier backward freed what the graph of {loss.text} had saved; that call needs retain_graph=True, "
            "or the forward pass has to run again",
            (operation.conflict(loss, None, "attribute", "graph freed"),),
        )
    if "modified by an inplace operation" in message:
        return Diagnosis(
            "backward-version",
            f"the graph of {loss.text} needs a tensor that was changed in place after it had been used",
            (operation.conflict(loss, None, "attribute", "changed in place"),),
            tuple(_version_lines(message)),
        )
    return None


def _version_lines(message: str) -> Iterator[str]:
    start = message.find("[torch.")
    end = message.find("]]", start)
    if start >= 0 and end > start:
        yield f"torch says which: {message[start + 1 : end + 1]}."


def _not_scalar(operation: Operation, loss: Argument) -> Diagnosis:
    def replay(name: str) -> Any:
        def run(reader: Any) -> Any:
            torch = reader.taken(loss.value)
            with _grad_mode():
                leaf = torch.detach().requires_grad_()
                scalar = getattr(leaf, name)()
                scalar.backward()
            return scalar

        return run

    candidates = []
    if loss.node is not None and operation.is_method:
        for name, title in (("mean", "the mean"), ("sum", "the sum")):
            candidates.append(
                Candidate(f"{title} of {loss.text}", ((loss.node, f"{grouped(loss)}.{name}()"),), replay(name))
            )
    return Diagnosis(
        "backward-scalar",
        f"{loss.text} is {sizes_text(loss.shape)}, backward without an argument starts from a scalar",
        (operation.conflict(loss, None, "ndim", loss.ndim),),
        candidates=candidates,
    )


def _grad_mode() -> Any:
    import torch  # noqa: PLC0415  it failed in the user's program, so it is there

    return torch.enable_grad()


def _unused(operation: Operation) -> Diagnosis | None:
    if "to not have been used" not in operation.message:
        return None
    output, inputs = operation.argument(0, "outputs"), operation.argument(1, "inputs")
    if output is None or inputs is None or not output.is_tensor:
        return None
    return Diagnosis(
        "grad-unused",
        f"{output.text} was not computed from all of {inputs.text}",
        (operation.conflict(output, None, "attribute", "unused input"),),
        ("With allow_unused=True the gradient of what was not used is None.",),
    )


_IN_PLACE = "add_ sub_ mul_ div_ zero_ fill_ copy_ normal_ uniform_ clamp_ masked_fill_ pow_ relu_ exp_ index_add_ scatter_ setitem"
RULES: Rules = (rule(_IN_PLACE, _leaf), rule("backward", _backward), rule("grad", _unused))
