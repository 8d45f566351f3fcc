"""How shapes and dtypes are written: `f32[6, 10, 8]`."""

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
