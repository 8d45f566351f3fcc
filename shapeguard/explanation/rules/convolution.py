"""Convolutions and pooling: channels, missing dims, inputs smaller than the kernel."""

from collections.abc import Iterator
from typing import Any

from shapeguard.explanation.constructors import rebuilt
from shapeguard.explanation.diagnosis import Candidate, Diagnosis, Rules, counted, grouped, instead, rule, sizes_text
from shapeguard.explanation.operation import Argument, Operation

_LAYERS = "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d"
_FUNCTIONS = "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d"
_POOLS = (
    "MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool2d "
    "max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d _max_pool2d _max_pool1d"
)


def _spatial(operation: Operation) -> int:
    return int(next(letter for letter in operation.name if letter.isdigit()))


def _convolution(operation: Operation) -> Diagnosis | None:
    inputs, weight, module = operation.tensor(0, "input"), operation.tensor(1, "weight"), None
    if operation.is_layer and operation.layer is not None:
        module = operation.layer.module
        weight = Argument(f"{operation.layer.path}.weight", module.weight)
    if inputs is None or weight is None:
        return None
    spatial, transposed = _spatial(operation), "ranspose" in operation.name
    if weight.ndim != spatial + 2:
        return None
    groups = module.groups if module is not None else operation.given(6, "groups", 1)
    channels = weight.shape[0] if transposed else weight.shape[1] * (groups if type(groups) is int else 1)
    taker = operation.layer.label if module is not None and operation.layer is not None else weight.text
    if inputs.ndim not in (spatial + 1, spatial + 2):
        return _ndim(operation, inputs, channels, spatial, taker)
    place = inputs.ndim - spatial - 1
    if inputs.shape[place] != channels:
        return _channels(operation, inputs, weight, channels, taker)
    return _small(operation, inputs, weight, spatial)


def _channels(operation: Operation, inputs: Argument, weight: Argument, channels: int, taker: str) -> Diagnosis:
    spatial = _spatial(operation)
    place = inputs.ndim - spatial - 1
    unbatched = place == 0
    read = f"a tensor of {inputs.ndim} dims is read as one sample without a batch, its dim 0 as channels"
    dim = 0 if "ranspose" in operation.name else 1
    return Diagnosis(
        "conv-channels",
        f"dim {place} of {inputs.text}, its channels, is {inputs.shape[place]}, {taker} takes {channels}",
        (
            operation.conflict(inputs, place, "size", inputs.shape[place]),
            operation.conflict(weight, dim, "size", weight.shape[dim]),
        ),
        (f"{read[0].upper()}{read[1:]}.",) if unbatched else (),
        tuple(_ordered(operation, inputs, channels, spatial, place)),
    )


def _ordered(operation: Operation, inputs: Argument, channels: int, spatial: int, place: int) -> Iterator[Candidate]:
    ndim = inputs.ndim
    if inputs.shape[-1] == channels and place != ndim - 1:
        text = (
            f"permute{(*range(place), ndim - 1, *range(place, ndim - 1))}"
            if spatial > 1
            else f"transpose({place}, {ndim - 1})"
        )
        yield from instead(inputs, f"{grouped(inputs)}.{text}", "the channels moved before the spatial dims")
    for dim in range(place + 1, ndim - 1):
        if inputs.shape[dim] == channels and place == 1:
            yield from instead(inputs, f"{grouped(inputs)}.transpose(1, {dim})", "the channels moved behind the batch")
    if ndim == spatial + 1 and channels == 1:
        # A batch of images without channels, and not one image of many channels.
        yield from instead(inputs, f"{grouped(inputs)}.unsqueeze(1)", "a dim for the one channel, behind the batch")
    if ndim == spatial + 2 and inputs.shape[0] == channels:
        yield from instead(inputs, f"{grouped(inputs)}.transpose(0, 1)", "batch and channels swapped")
    if ndim == spatial + 1 and spatial == 1 and inputs.shape[1] == channels:
        yield from instead(inputs, f"{grouped(inputs)}.T")
    if operation.is_layer and not (ndim == spatial + 1 and channels == 1):
        yield from rebuilt(operation, {"in_channels": inputs.shape[place]})


def _ndim(operation: Operation, inputs: Argument, channels: int, spatial: int, taker: str) -> Diagnosis:
    candidates: list[Candidate] = []
    if inputs.ndim == spatial and channels == 1:
        candidates += instead(inputs, f"{grouped(inputs)}[None, None]", "a batch of one, with one channel")
        candidates += instead(inputs, f"{grouped(inputs)}.unsqueeze(0)", "one channel, without a batch")
    elif inputs.ndim > spatial + 2 and inputs.shape[-spatial - 1] == channels:
        candidates += instead(
            inputs, f"{grouped(inputs)}.flatten(0, {inputs.ndim - spatial - 2})", "the leading dims as one batch"
        )
    return Diagnosis(
        "conv-ndim",
        f"{inputs.text} has {counted(inputs.ndim)}, {taker} takes {spatial + 2}: batch, channels and {spatial} spatial",
        (operation.conflict(inputs, None, "ndim", inputs.ndim),),
        candidates=candidates,
    )


def _small(operation: Operation, inputs: Argument, weight: Argument, spatial: int) -> Diagnosis | None:
    if "Kernel size can't be greater" not in operation.message:
        return None
    module = operation.layer.module if operation.is_layer and operation.layer is not None else None
    paddings = _numbers(module.padding if module is not None else operation.given(4, "padding", 0), spatial)
    kernel = weight.shape[-spatial:]
    for place in range(spatial):
        size = inputs.shape[inputs.ndim - spatial + place]
        if size + 2 * paddings[place] < kernel[place]:
            dim = inputs.ndim - spatial + place
            candidates: list[Candidate] = []
            if operation.is_layer and all(k % 2 for k in kernel):
                candidates += rebuilt(
                    operation,
                    {"padding": kernel[0] // 2 if len(set(kernel)) == 1 else f"{tuple(k // 2 for k in kernel)}"},
                )
            return Diagnosis(
                "conv-size",
                f"dim {dim} of {inputs.text} is {size}, with padding {size + 2 * paddings[place]}: smaller than the kernel of {kernel[place]}",
                (
                    operation.conflict(inputs, dim, "size", size),
                    operation.conflict(weight, weight.ndim - spatial + place, "size", kernel[place]),
                ),
                candidates=candidates,
            )
    return None


def _numbers(value: Any, count: int) -> tuple[int, ...]:
    if type(value) is int:
        return (value,) * count
    return tuple(value) if type(value) is tuple and len(value) == count else (0,) * count


def _pooling(operation: Operation) -> Diagnosis | None:
    inputs, spatial = operation.tensor(0, "input"), _spatial(operation)
    if inputs is None:
        return None
    if inputs.ndim not in (spatial + 1, spatial + 2):
        return Diagnosis(
            "pool-ndim",
            f"{inputs.text} has {counted(inputs.ndim)}, {operation.name} takes {spatial + 2}: batch, channels and {spatial} spatial",
            (operation.conflict(inputs, None, "ndim", inputs.ndim),),
            candidates=instead(inputs, f"{grouped(inputs)}.unsqueeze(0)", "a batch of one")
            if inputs.ndim == spatial
            else (),
        )
    module = operation.layer.module if operation.is_layer and operation.layer is not None else None
    kernel = (
        module.kernel_size
        if module is not None and hasattr(module, "kernel_size")
        else operation.given(1, "kernel_size")
    )
    sizes, shape = _numbers(kernel, spatial), inputs.shape[-spatial:]
    for place in range(spatial):
        if "too small" in operation.message and sizes[place] > shape[place]:
            dim = inputs.ndim - spatial + place
            return Diagnosis(
                "pool-size",
                f"dim {dim} of {inputs.text} is {shape[place]}, smaller than the kernel of {sizes[place]}: nothing is left of {sizes_text(shape)}",
                (operation.conflict(inputs, dim, "size", shape[place]),),
            )
    return None


RULES: Rules = (rule(f"{_LAYERS} {_FUNCTIONS}", _convolution), rule(_POOLS, _pooling))
