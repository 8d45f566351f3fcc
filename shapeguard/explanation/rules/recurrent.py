"""LSTM, GRU, RNN: input size, order of the dims, hidden state."""

from collections.abc import Iterator
from typing import Any

from shapeguard.explanation.constructors import rebuilt
from shapeguard.explanation.diagnosis import (
    Candidate,
    Diagnosis,
    Rules,
    counted,
    grouped,
    instead,
    rule,
    sizes_text,
    together,
)
from shapeguard.explanation.operation import Argument, Operation, elements_of
from shapeguard.explanation.shapes import moved


def _recurrent(operation: Operation) -> Diagnosis | None:
    inputs, layer = operation.tensor(0, "input"), operation.layer
    if inputs is None or layer is None or not operation.is_layer:
        return None
    module = layer.module
    if inputs.ndim not in (2, 3):
        candidates = (
            instead(inputs, f"{grouped(inputs)}.flatten(2)", "the features in one dim") if inputs.ndim > 3 else []
        )
        return Diagnosis(
            "recurrent-ndim",
            f"{inputs.text} has {counted(inputs.ndim)}, {layer.label} takes 3: {_order(module)}",
            (operation.conflict(inputs, None, "ndim", inputs.ndim),),
            candidates=candidates
            or (instead(inputs, f"{grouped(inputs)}.unsqueeze(-1)") if module.input_size == 1 else ()),
        )
    if inputs.shape[-1] != module.input_size:
        return _features(operation, inputs)
    return _hidden(operation, inputs)


def _order(module: Any) -> str:
    return "batch, steps, features" if module.batch_first else "steps, batch, features"


def _features(operation: Operation, inputs: Argument) -> Diagnosis:
    assert operation.layer is not None  # noqa: S101  asked by _recurrent alone
    module, last = operation.layer.module, inputs.ndim - 1
    weight = Argument(f"{operation.layer.path}.weight_ih_l0", module.weight_ih_l0)
    return Diagnosis(
        "recurrent-features",
        f"dim {last} of {inputs.text} is {inputs.shape[last]}, {operation.layer.label} takes {module.input_size}",
        (
            operation.conflict(inputs, last, "size", inputs.shape[last]),
            operation.conflict(weight, 1, "size", module.input_size),
        ),
        candidates=tuple(_feature_repairs(operation, inputs)),
    )


def _feature_repairs(operation: Operation, inputs: Argument) -> Iterator[Candidate]:
    assert operation.layer is not None  # noqa: S101
    module = operation.layer.module
    if module.input_size == 1 and inputs.ndim == 2:
        yield from instead(inputs, f"{grouped(inputs)}.unsqueeze(-1)", "a dim for the one feature")
    for first, second in moved(inputs.shape, module.input_size, -1):
        if inputs.ndim == 3 and first == 0:
            yield from instead(inputs, f"{grouped(inputs)}.permute(1, 2, 0)", "the features moved to the last dim")
        yield from instead(
            inputs, f"{grouped(inputs)}.transpose({first}, {second})", "the features moved to the last dim"
        )
    yield from rebuilt(operation, {"input_size": inputs.shape[-1]})


def _hidden(operation: Operation, inputs: Argument) -> Diagnosis | None:
    assert operation.layer is not None  # noqa: S101
    module, given = operation.layer.module, operation.argument(1, "hx")
    if given is None or given.value is None:
        return None
    if operation.name == "LSTM" and given.is_tensor:
        return Diagnosis(
            "recurrent-hidden",
            f"{given.text} is one tensor, an LSTM takes the pair (h, c)",
            (operation.conflict(given, None, "attribute", "not a tuple"),),
        )
    states = elements_of(given) if operation.name == "LSTM" else [given]
    if not states or not all(state.is_tensor for state in states):
        return None
    batch = inputs.shape[0 if module.batch_first else 1] if inputs.ndim == 3 else None
    layers = module.num_layers * (2 if module.bidirectional else 1)
    wanted = (layers, batch, module.hidden_size) if batch is not None else (layers, module.hidden_size)
    for state in states:
        if state.shape != wanted:
            return _wrong_state(operation, inputs, states, state, wanted)
    return None


def _wrong_state(
    operation: Operation, inputs: Argument, states: list[Argument], state: Argument, wanted: tuple[int, ...]
) -> Diagnosis:
    assert operation.layer is not None  # noqa: S101
    module = operation.layer.module
    because: tuple[str, ...] = ()
    candidates: list[Candidate] = []
    other = inputs.shape[1 if module.batch_first else 0] if inputs.ndim == 3 else None
    if other is not None and state.shape == (wanted[0], other, wanted[-1]) and not module.batch_first:
        because = (
            f"{operation.layer.label} reads {inputs.text} as {_order(module)}; the hidden state fits batch_first=True.",
        )
        candidates += rebuilt(operation, {"batch_first": "True"})
        candidates += instead(inputs, f"{grouped(inputs)}.transpose(0, 1)", "steps first")
    if state.ndim == 3 and (state.shape[1], state.shape[0], state.shape[2]) == wanted:
        text = "transpose(0, 1).contiguous()"
        candidates += together([(s, f"{grouped(s)}.{text}") for s in states], "layers first, then the batch")
    if state.ndim == 2 and len(wanted) == 3 and (1, *state.shape) == wanted:
        candidates += together([(s, f"{grouped(s)}.unsqueeze(0)") for s in states], "a dim for the one layer")
    dim = next((d for d in range(state.ndim) if state.ndim == len(wanted) and state.shape[d] != wanted[d]), None)
    return Diagnosis(
        "recurrent-hidden",
        f"{state.text} is {sizes_text(state.shape)}, {operation.layer.label} takes {sizes_text(wanted)}: layers, batch, hidden",
        (
            operation.conflict(state, dim, "size", state.shape[dim])
            if dim is not None
            else operation.conflict(state, None, "ndim", state.ndim),
        ),
        because,
        candidates,
    )


RULES: Rules = (rule("LSTM GRU RNN", _recurrent),)
