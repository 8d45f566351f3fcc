"""`describe(value) -> Spec`: the only place that knows the traps of torch attributes.

It finds torch and numpy in `sys.modules` and never imports them; it never reads data, runs no aten operation, and
keeps no value alive. Attributes are read through the base classes' own descriptors and under
`DisableTorchFunction`, because a subclass's attribute, or any attribute under a TorchFunctionMode, runs user code.
"""

import collections
import inspect
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from math import prod
from types import MemberDescriptorType, ModuleType
from typing import Any

from shapeguard.records import Size, Spec
from shapeguard.settings import settings

MISSING: Any = object()
"""What a read answers that found nothing, since None is a value like another."""

MAX_DEPTH = 3
MAX_PARAMETERS = 10_000
MAX_KEY_LENGTH = 60
MAX_INTERNED = 4096

_PLAIN = frozenset({int, float, complex, bool, str, bytes, bytearray, type(None), type, ModuleType, range, slice})
_SCALARS = (bool, int, float, complex)


def describe(value: object) -> Spec:
    """The record of one live value; never reads its data and never raises.

    Bounded: of containers and modules the first `settings.items` entries, three levels deep; what was left out is
    in the traits. Thread-safe.

    >>> describe((3, "a")).kind
    'other'
    >>> describe(2.5)
    Spec(kind='scalar', type='float', ...)
    """
    return _describe(value, 0)


def is_tensor_like(spec: Spec) -> bool:
    """Whether a value is worth a row: a tensor, an array, a module, or a container in which one of them was seen.

    >>> is_tensor_like(describe([1, 2, 3]))
    False
    """
    if spec.kind == "container":
        return any(is_tensor_like(item) for _, item in spec.items)
    return spec.kind in ("tensor", "array", "module")


def is_tensor(value: object) -> bool:
    """Whether `value` is a torch tensor; answered from its real type, since `isinstance` asks `__class__`."""
    torch = sys.modules.get("torch")
    tensor = getattr(torch, "Tensor", None)
    return tensor is not None and issubclass(type(value), tensor)


def version(value: object) -> int | None:
    """A tensor's counter of in-place changes; None for what has none, inference tensors among them."""
    if not is_tensor(value):
        return None
    answer = _Reader(sys.modules["torch"], value).read("_version", None)
    return answer if isinstance(answer, int) else None


def module_entry(module: object, name: str) -> Any:
    """The parameter, buffer or submodule that an nn.Module holds as `name`, without its `__getattr__`; or MISSING."""
    if not _is_module(module):
        return MISSING
    state = _instance_dict(module)
    for registry in ("_parameters", "_buffers", "_modules"):
        entries = state.get(registry)
        if isinstance(entries, dict) and name in entries:
            return entries[name]
    return MISSING


def static_attribute(owner: object, name: str) -> Any:
    """`owner.name` where reading it runs nobody's code: an instance attribute, a slot, a module's entry; or MISSING."""
    found = inspect.getattr_static(owner, name, MISSING)
    if type(found) is MemberDescriptorType:
        try:
            return found.__get__(owner, type(owner))
        except AttributeError:
            return MISSING
    if found is MISSING:
        return module_entry(owner, name)
    # A function, property or other descriptor of the class would have to be called to know the value.
    return (
        MISSING if hasattr(type(found), "__get__") and found is not _instance_dict(owner).get(name, MISSING) else found
    )


# --- one value


def _describe(value: object, depth: int) -> Spec:
    kind = type(value)
    if kind in _PLAIN:
        return _plain(value)
    for applies, describe_as in _HANDLERS:
        try:
            if applies(value):
                return describe_as(value, depth)
        # Any attribute of a foreign type may raise anything; the record then says what could not be read.
        except Exception as error:  # noqa: BLE001
            return Spec(_unreadable_kind(describe_as), type_name(kind), traits=(("unreadable", type(error).__name__),))
    return _plain(value)


def _plain(value: object) -> Spec:
    return Spec("scalar" if issubclass(type(value), _SCALARS) else "other", type_name(type(value)))


def type_name(kind: type) -> str:
    """The qualified name of a type; builtins without their module.

    >>> type_name(dict), type_name(collections.OrderedDict)
    ('dict', 'collections.OrderedDict')
    """
    module = type.__dict__["__module__"].__get__(kind)
    name: str = type.__dict__["__qualname__"].__get__(kind)
    return name if module == "builtins" or not isinstance(module, str) else f"{module}.{name}"


# --- tensors

_interned: dict[Any, Spec] = {}


class _Reader:
    """Reads attributes of one tensor through TensorBase's own descriptors, each failure turned into a default."""

    __slots__ = ("_base", "_tensor", "failed")

    def __init__(self, torch: ModuleType, tensor: object) -> None:
        self._base = torch._C.TensorBase  # noqa: SLF001  the class whose descriptors no subclass can override
        self._tensor = tensor
        self.failed: list[str] = []

    def read(self, name: str, default: Any) -> Any:
        torch = sys.modules["torch"]
        try:
            with torch._C.DisableTorchFunction():  # noqa: SLF001
                return getattr(self._base, name).__get__(self._tensor)
        # Uninitialized, nested, sparse, vmap and inference tensors each raise a type of their own.
        except Exception:  # noqa: BLE001
            self.failed.append(name)
            return default


def _is_plain_tensor(value: object) -> bool:
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    kind = type(value)
    return kind is getattr(torch, "Tensor", None) or kind is getattr(getattr(torch, "nn", None), "Parameter", None)


def _tensor(value: Any, depth: int) -> Spec:
    """The fast path: a Spec is shared by all tensors that are alike, since it holds nothing of any one of them."""
    torch = sys.modules["torch"]
    try:
        with torch._C.DisableTorchFunction():  # noqa: SLF001
            node = value.grad_fn
            key = (
                type(value).__name__,
                value.shape,
                value.dtype,
                value.device,
                value.requires_grad,
                None if node is None else type(node).__name__,
                value.is_leaf,
                value.layout,
            )
        spec = _interned.get(key)
    # A symbolic size cannot be hashed, and the traps of `_Reader` raise here as well: read with care instead.
    except Exception:  # noqa: BLE001
        return _careful_tensor(value, depth)
    if spec is None:
        if len(_interned) >= MAX_INTERNED:
            _interned.clear()
        spec = _careful_tensor(value, depth)
        if "unreadable" not in dict(spec.traits):
            _interned[key] = spec
    return spec


def _careful_tensor(value: Any, _depth: int) -> Spec:
    torch = sys.modules["torch"]
    reader = _Reader(torch, value)
    if _is_uninitialized(value):
        dtype, requires_grad = reader.read("dtype", None), reader.read("requires_grad", None)
        return Spec(
            "tensor",
            type_name(type(value)),
            dtype=_dtype_name(dtype),
            requires_grad=requires_grad,
            is_leaf=True,
            traits=(("uninitialized", "its shape is not known before the first call"),),
        )
    shape = _sizes(reader.read("shape", None))
    dtype = reader.read("dtype", None)
    layout = reader.read("layout", None)
    node = reader.read("grad_fn", None)
    device = reader.read("device", None)
    traits = list(_tensor_traits(torch, value, layout))
    spec_fields = {
        "requires_grad": reader.read("requires_grad", None),
        "is_leaf": reader.read("is_leaf", None),
    }
    if reader.failed:
        traits.append(("unreadable", ", ".join(reader.failed)))
    strided = layout is getattr(torch, "strided", None)
    return Spec(
        "tensor",
        type_name(type(value)),
        shape=shape,
        dtype=_dtype_name(dtype),
        device=None if device is None else str(device),
        grad_fn=None if node is None else type(node).__name__,
        nbytes=_nbytes(shape, dtype) if strided else None,
        traits=tuple(traits),
        **spec_fields,
    )


def _tensor_traits(torch: ModuleType, value: Any, layout: object) -> Iterator[tuple[str, str]]:
    if layout is not None and layout is not getattr(torch, "strided", None):
        yield "layout", str(layout).removeprefix("torch.")
    local = _instance_dict(value).get("_local_tensor", MISSING)
    # DTensor: `.shape` is the global one, and what this process holds is the local one.
    if local is not MISSING and is_tensor(local):
        yield "local_shape", str(list(_sizes(_Reader(torch, local).read("shape", ())) or ()))
        placements = getattr(_instance_dict(value).get("_spec"), "placements", None)
        if placements is not None:
            yield "placements", str(placements)


def _is_uninitialized(value: object) -> bool:
    parameter = sys.modules.get("torch.nn.parameter")
    mixin = getattr(parameter, "UninitializedTensorMixin", None)
    return mixin is not None and issubclass(type(value), mixin)


def _sizes(shape: Any) -> tuple[Size, ...] | None:
    """Sizes as ints; symbolic and jagged ones as their text at once, since they refer to a whole shape environment."""
    if shape is None:
        return None
    return tuple(size if type(size) is int else str(size) for size in shape)


def _dtype_name(dtype: object) -> str | None:
    return None if dtype is None else str(dtype).removeprefix("torch.")[:MAX_KEY_LENGTH]


def _nbytes(shape: tuple[Size, ...] | None, dtype: Any) -> int | None:
    sizes = [size for size in shape or () if isinstance(size, int)]
    return None if shape is None or len(sizes) < len(shape) else prod(sizes) * int(dtype.itemsize)


# --- modules


def _is_module(value: object) -> bool:
    modules = sys.modules.get("torch.nn")
    module = getattr(modules, "Module", None)
    return module is not None and issubclass(type(value), module)


def _module(value: object, depth: int) -> Spec:
    tally = _Tally()
    tally.count(value)
    entries = [(name, child) for name, child in _module_entries(value) if child is not None]
    shown = entries[: settings.items] if depth < MAX_DEPTH - 1 else []
    traits = [("parameters", str(tally.parameters)), ("trainable", str(tally.trainable))]
    if tally.dtypes:
        traits.append(("dtypes", ", ".join(sorted(tally.dtypes))))
    if tally.uninitialized:
        traits.append(("uninitialized", str(tally.uninitialized)))
    if tally.capped:
        traits.append(("capped", f"counted {MAX_PARAMETERS} parameter tensors, there are more"))
    if len(entries) > len(shown):
        traits.append(("omitted", str(len(entries) - len(shown))))
    return Spec(
        "module",
        type_name(type(value)),
        dtype=next(iter(tally.dtypes)) if len(tally.dtypes) == 1 else None,
        nbytes=tally.nbytes,
        traits=tuple(traits),
        items=tuple((name, _describe(child, depth + 1)) for name, child in shown),
    )


def _module_entries(module: object) -> Iterator[tuple[str, Any]]:
    state = _instance_dict(module)
    for registry in ("_parameters", "_buffers", "_modules"):
        entries = state.get(registry)
        if isinstance(entries, dict):
            yield from entries.items()


class _Tally:
    """Counts a module tree's parameters, each once however often it is shared, without calling any method of it."""

    def __init__(self) -> None:
        self.parameters = self.trainable = self.nbytes = self.uninitialized = 0
        self.dtypes: set[str] = set()
        self.capped = False
        self._seen: set[int] = set()

    def count(self, root: object) -> None:
        stack = [root]
        while stack and not self.capped:
            module = stack.pop()
            if id(module) in self._seen:
                continue
            self._seen.add(id(module))
            state = _instance_dict(module)
            parameters = state.get("_parameters")
            for parameter in list(parameters.values()) if isinstance(parameters, dict) else ():
                if parameter is not None and id(parameter) not in self._seen:
                    self._seen.add(id(parameter))
                    self._count_one(parameter)
            children = state.get("_modules")
            if isinstance(children, dict):
                stack.extend(child for child in children.values() if child is not None)

    def _count_one(self, parameter: object) -> None:
        if len(self._seen) > MAX_PARAMETERS:
            self.capped = True
            return
        if _is_uninitialized(parameter):
            self.uninitialized += 1
            return
        spec = _tensor(parameter, 0)
        numel = prod(size for size in spec.shape or () if isinstance(size, int))
        self.parameters += numel
        self.trainable += numel if spec.requires_grad else 0
        self.nbytes += spec.nbytes or 0
        if spec.dtype is not None:
            self.dtypes.add(spec.dtype)


# --- arrays


def _is_numpy_array(value: object) -> bool:
    numpy = sys.modules.get("numpy")
    array = getattr(numpy, "ndarray", None)
    return array is not None and issubclass(type(value), array)


def _numpy_array(value: object, _depth: int) -> Spec:
    ndarray = sys.modules["numpy"].ndarray
    return Spec(
        "array",
        type_name(type(value)),
        shape=ndarray.shape.__get__(value),
        dtype=_dtype_name(ndarray.dtype.__get__(value)),
        nbytes=ndarray.nbytes.__get__(value),
    )


def _is_array_like(value: object) -> bool:
    """Whether a value has a tuple `shape` and a `dtype`, asked only where the answer runs no code of the user's.

    Attributes that only `__getattr__` would give (mocks, lazy proxies) are not asked for, nor are properties of
    classes that the program itself defines.
    """
    return (
        not issubclass(type(value), type)
        and isinstance(_array_attribute(value, "shape"), tuple)
        and (_array_attribute(value, "dtype") is not None)
    )


def _array_attribute(value: object, name: str) -> Any:
    found = inspect.getattr_static(value, name, None)
    if found is None or not hasattr(type(found), "__get__"):
        return found
    if type(value).__module__ == "__main__" and type(found) is not MemberDescriptorType:
        return None
    return getattr(value, name)


def _array_like(value: Any, _depth: int) -> Spec:
    shape = _sizes(_array_attribute(value, "shape"))
    dtype = _array_attribute(value, "dtype")
    nbytes = _array_attribute(value, "nbytes")
    device = _array_attribute(value, "device")
    return Spec(
        "array",
        type_name(type(value)),
        shape=shape,
        dtype=_dtype_name(getattr(dtype, "name", dtype)),
        device=None if device is None or callable(device) else str(device),
        nbytes=nbytes if type(nbytes) is int else None,
    )


# --- containers


def _entries(value: Any) -> tuple[int, Iterator[tuple[str, object]]] | None:
    """Length and entries of a container, read through the builtin types' own methods; None for what is none."""
    kind = type(value)
    if issubclass(kind, collections.OrderedDict):
        return dict.__len__(value), _keyed(collections.OrderedDict.items(value))
    if issubclass(kind, dict):
        return dict.__len__(value), _keyed(dict.items(value))
    if issubclass(kind, tuple):
        fields = inspect.getattr_static(kind, "_fields", None)
        values: Iterator[Any] = tuple.__iter__(value)
        if isinstance(fields, tuple) and len(fields) == tuple.__len__(value):
            return len(fields), zip(map(str, fields), values, strict=True)
        return tuple.__len__(value), _numbered(values)
    if issubclass(kind, list):
        return list.__len__(value), _numbered(list.__iter__(value))
    if issubclass(kind, collections.UserDict):
        return _entries(_instance_dict(value).get("data"))
    fields = inspect.getattr_static(kind, "__dataclass_fields__", None)
    if isinstance(fields, dict):
        return len(fields), ((str(name), static_attribute(value, name)) for name in list(fields))
    return None


def _keyed(items: Any) -> Iterator[tuple[str, object]]:
    return ((_key_text(key), entry) for key, entry in items)


def _numbered(values: Any) -> Iterator[tuple[str, object]]:
    return ((str(index), entry) for index, entry in enumerate(values))


def _key_text(key: object) -> str:
    if type(key) is str:
        return key[:MAX_KEY_LENGTH]
    if type(key) in (int, float, bool, bytes, type(None)):
        return repr(key)[:MAX_KEY_LENGTH]
    return f"<{type_name(type(key))}>"


def _is_container(value: object) -> bool:
    return _entries(value) is not None


def _container(value: object, depth: int) -> Spec:
    entries = _entries(value)
    if entries is None or depth >= MAX_DEPTH:
        return Spec("container", type_name(type(value)), traits=(("omitted", "too deep"),))
    length, values = entries
    items = tuple(
        (key, _describe(entry, depth + 1)) for key, entry in islice(values, settings.items) if entry is not MISSING
    )
    if not any(is_tensor_like(item) for _, item in items):
        return Spec("other", type_name(type(value)), traits=(("len", str(length)),))
    traits = [("len", str(length))]
    if length > len(items):
        traits.append(("omitted", str(length - len(items))))
    return Spec("container", type_name(type(value)), traits=tuple(traits), items=items)


def _instance_dict(value: object) -> dict[str, Any]:
    try:
        state = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return state if isinstance(state, dict) else {}


_HANDLERS: tuple[tuple[Callable[[Any], bool], Callable[[Any, int], Spec]], ...] = (
    (_is_plain_tensor, _tensor),
    (is_tensor, _careful_tensor),
    (_is_module, _module),
    (_is_numpy_array, _numpy_array),
    (_is_container, _container),
    (_is_array_like, _array_like),
)
_KINDS_OF_HANDLERS: dict[Callable[[Any, int], Spec], str] = {
    _tensor: "tensor",
    _careful_tensor: "tensor",
    _module: "module",
    _container: "container",
}


def _unreadable_kind(handler: Callable[[Any, int], Spec]) -> str:
    return _KINDS_OF_HANDLERS.get(handler, "other")
