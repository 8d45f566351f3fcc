"""BatchNorm, LayerNorm, GroupNorm: features, dims, and batches too small to normalise."""

from collections.abc import Iterator

from shapeguard.explanation.constructors import rebuilt, replaced
from shapeguard.explanation.diagnosis import Candidate, Diagnosis, Rules, counted, grouped, instead, rule, sizes_text
from shapeguard.explanation.operation import Argument, Operation
from shapeguard.explanation.shapes import moved

_NDIMS = {
    "BatchNorm1d": (2, 3),
    "BatchNorm2d": (4,),
    "BatchNorm3d": (5,),
    "InstanceNorm1d": (2, 3),
    "InstanceNorm2d": (3, 4),
}


def _batch_norm(operation: Operation) -> Diagnosis | None:
    inputs, layer = operation.tensor(0, "input"), operation.layer
    if inputs is None or layer is None or not operation.is_layer:
        return None
    module, allowed = layer.module, _NDIMS.get(operation.name, ())
    if allowed and inputs.ndim not in allowed:
        return _ndim(operation, inputs, allowed)
    if not isinstance(getattr(module, "num_features", None), int) or inputs.ndim < 2:
        return None
    if inputs.shape[1] != module.num_features:
        weight = Argument(f"{layer.path}.weight", module.weight if module.weight is not None else module.running_mean)
        return Diagnosis(
            "batchnorm-features",
            f"dim 1 of {inputs.text} is {inputs.shape[1]}, {layer.label} takes {module.num_features}",
            (
                operation.conflict(inputs, 1, "size", inputs.shape[1]),
                operation.conflict(weight, 0, "size", module.num_features),
            ),
            candidates=tuple(_features(operation, inputs, module.num_features)),
        )
    if "more than 1 value per channel" in operation.message:
        return Diagnosis(
            "batchnorm-single",
            f"{inputs.text} is {sizes_text(inputs.shape)}: one value for each channel, which has no variance; "
            f"{layer.label} is in training mode",
            (operation.conflict(inputs, 0, "size", inputs.shape[0]),),
        )
    return None


def _features(operation: Operation, inputs: Argument, features: int) -> Iterator[Candidate]:
    last = inputs.ndim - 1
    if inputs.ndim > 2 and inputs.shape[last] == features:
        order = (0, last, *range(1, last))
        text = f"transpose(1, {last})" if inputs.ndim == 3 else f"permute{order}"
        yield from instead(inputs, f"{grouped(inputs)}.{text}", "the features moved to dim 1")
    elif inputs.ndim == 2 and inputs.shape[0] == features:
        yield from instead(inputs, f"{grouped(inputs)}.T", f"{inputs.text} transposed")
    yield from rebuilt(operation, {"num_features": inputs.shape[1]})


def _ndim(operation: Operation, inputs: Argument, allowed: tuple[int, ...]) -> Diagnosis:
    candidates: list[Candidate] = []
    other = {4: "2d", 5: "3d", 2: "1d", 3: "1d"}.get(inputs.ndim)
    base = operation.name[:-2]
    if other is not None and operation.name != base + other:
        candidates += replaced(operation, base + other)
    if inputs.ndim == min(allowed) - 1:
        candidates += instead(inputs, f"{grouped(inputs)}.unsqueeze(0)", "a batch of one")
    wanted = " or ".join(map(str, allowed))
    label = operation.layer.label if operation.layer is not None else operation.name
    return Diagnosis(
        "batchnorm-ndim",
        f"{inputs.text} has {counted(inputs.ndim)}, {label} takes {wanted}",
        (operation.conflict(inputs, None, "ndim", inputs.ndim),),
        candidates=candidates,
    )


def _layer_norm(operation: Operation) -> Diagnosis | None:
    inputs, layer = operation.tensor(0, "input"), operation.layer
    if inputs is None:
        return None
    if operation.is_layer and layer is not None:
        wanted, taker = tuple(layer.module.normalized_shape), layer.label
    else:
        given = operation.given(1, "normalized_shape", ())
        wanted, taker = tuple(given) if type(given) in (list, tuple) else (), f"{operation.function}"
    if not wanted or inputs.shape[-len(wanted) :] == wanted:
        return None
    shape, count = inputs.shape, len(wanted)
    place = next((i for i in range(count) if inputs.ndim < count or shape[inputs.ndim - count + i] != wanted[i]), 0)
    dim = inputs.ndim - count + place
    conflict = (
        operation.conflict(inputs, dim, "size", shape[dim])
        if dim >= 0 and inputs.ndim >= count
        else operation.conflict(inputs, None, "ndim", inputs.ndim)
    )
    what = (
        f"dim {dim} of {inputs.text} is {shape[dim]}"
        if inputs.ndim >= count
        else f"{inputs.text} has {counted(inputs.ndim)}"
    )
    return Diagnosis(
        "layernorm-shape",
        f"{what}, {taker} normalises the last {counted(count)} of sizes {sizes_text(wanted)}",
        (conflict,),
        candidates=tuple(_normalised(operation, inputs, wanted)),
    )


def _normalised(operation: Operation, inputs: Argument, wanted: tuple[int, ...]) -> Iterator[Candidate]:
    if len(wanted) == 1 and inputs.ndim > 1:
        for first, second in moved(inputs.shape, wanted[0], -1):
            text = "T" if inputs.ndim == 2 else f"transpose({first}, {second})"
            if inputs.ndim == 4 and first == 1:
                text = "permute(0, 2, 3, 1)"
            yield from instead(inputs, f"{grouped(inputs)}.{text}", "the features moved to the last dim")
    if operation.is_layer:
        shape = inputs.shape[-len(wanted) :]
        yield from rebuilt(operation, {"normalized_shape": str(shape[0]) if len(shape) == 1 else f"{shape}"})
    else:
        found = operation.argument(1, "normalized_shape")
        if found is not None and inputs.ndim >= len(wanted):
            yield from instead(found, f"{inputs.shape[-len(wanted) :]}")


def _group_norm(operation: Operation) -> Diagnosis | None:
    inputs, layer = operation.tensor(0, "input"), operation.layer
    if inputs is None or layer is None or not operation.is_layer or inputs.ndim < 2:
        return None
    channels = layer.module.num_channels
    if inputs.shape[1] == channels:
        return None
    return Diagnosis(
        "groupnorm-channels",
        f"dim 1 of {inputs.text} is {inputs.shape[1]}, {layer.label} takes {channels}",
        (operation.conflict(inputs, 1, "size", inputs.shape[1]),),
        candidates=[
            *(_features(operation, inputs, channels) if inputs.shape[-1] == channels else ()),
            *rebuilt(operation, {"num_channels": inputs.shape[1]}),
        ],
    )


RULES: Rules = (
    rule("BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm1d InstanceNorm2d", _batch_norm),
    rule("LayerNorm layer_norm RMSNorm rms_norm", _layer_norm),
    rule("GroupNorm", _group_norm),
)
