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
from types import GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any

from shapeguard.records import Size, Spec
from shapeguard.settings import settings

MISSING: Any = object()
"""What a read answers that found nothing, since None is a value like another."""

MAX_DEPTH = 3
MAX_PARAMETERS = 10_000
MAX_KEY_LENGTH = 60
MAX_INTERNED = 4096

_REGISTRIES = ("_parameters", "_buffers", "_modules")

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
    # A plain tensor of a kind that was seen before, which nearly every value is; the table of handlers would come to
    # the same. Without DisableTorchFunction, since nothing intercepts the attributes of a plain tensor but a mode.
    if type(value) is _fast.tensor and not _fast.count_modes():
        try:
            spec = _interned.get(_key(value))
        # A symbolic size cannot be hashed, and some tensors raise on some attributes: the table reads with care.
        except Exception:  # noqa: BLE001
            spec = None
        if spec is not None:
            return spec
    return _describe(value, 0)


def is_tensor_like(spec: Spec) -> bool:
    """Whether a value is worth a row: a tensor, an array, a module, or a container in which one of them was seen.

    >>> is_tensor_like(describe([1, 2, 3]))
    False
    """
    if spec.kind in ("tensor", "array", "module"):
        return True
    return spec.kind == "container" and any(is_tensor_like(item) for _, item in spec.items)


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
    for registry in _REGISTRIES:
        entries = _registry(module, registry)
        if name in entries:
            return entries[name]
    return MISSING


def static_attribute(owner: object, name: str) -> Any:
    """`owner.name` where reading it runs nobody's code: an instance attribute, a slot, a module's entry; or MISSING."""
    found = inspect.getattr_static(owner, name, MISSING)
    if type(found) is MemberDescriptorType:
        try:
            return found.__get__(owner, type(owner))
        # An empty slot; or the slot of another class, stored here as a value.
        except (AttributeError, TypeError):
            return MISSING
    if found is MISSING:
        return module_entry(owner, name)
    # A function, property or other descriptor of the class would have to be called to know the value.
    return MISSING if _is_descriptor(found) and found is not _instance_dict(owner).get(name, MISSING) else found


def _is_descriptor(value: object) -> bool:
    """Whether a class attribute computes what it gives; asked of the types themselves, past any metaclass."""
    namespace = type.__dict__["__dict__"].__get__
    return any("__get__" in namespace(kind) for kind in type.__dict__["__mro__"].__get__(type(value)))


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


class _Fast:
    """What `describe` needs of torch before anything else, once torch is there."""

    __slots__ = ("count_modes", "tensor")

    def __init__(self) -> None:
        self.tensor: Any = None
        self.count_modes: Callable[[], int] = int

    def learn(self, torch: ModuleType) -> None:
        """Take them from a torch that is fully imported; without the counter of modes, nothing is fast."""
        count_modes = getattr(torch._C, "_len_torch_function_stack", None)  # noqa: SLF001
        if count_modes is not None:
            self.tensor, self.count_modes = torch.Tensor, count_modes


_fast = _Fast()


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
            key = _key(value)
        spec = _interned.get(key)
    # A symbolic size cannot be hashed, and the traps of `_Reader` raise here as well: read with care instead.
    except Exception:  # noqa: BLE001
        return _careful_tensor(value, depth)
    if spec is None:
        _fast.learn(torch)
        if len(_interned) >= MAX_INTERNED:
            _interned.clear()
        spec = _careful_tensor(value, depth)
        if "unreadable" not in dict(spec.traits):
            _interned[key] = spec
    return spec


def _key(value: Any) -> Any:
    """What tells tensors apart that are not alike; without is_leaf, which follows from requires_grad and grad_fn."""
    requires_grad = value.requires_grad
    node = value.grad_fn if requires_grad else None
    return (
        type(value).__name__,
        value.shape,
        value.dtype,
        value.device,
        requires_grad,
        None if node is None else type(node).__name__,
        value.layout,
    )


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
    traits = list(_layout_traits(torch, layout))
    if not _is_plain_tensor(value):
        traits += _local_traits(torch, value)
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


def _layout_traits(torch: ModuleType, layout: object) -> Iterator[tuple[str, str]]:
    if layout is not None and layout is not getattr(torch, "strided", None):
        yield "layout", str(layout).removeprefix("torch.")


def _local_traits(torch: ModuleType, value: Any) -> Iterator[tuple[str, str]]:
    """Of a DTensor, whose `.shape` is the global one, what this process holds and how it was placed."""
    local = static_attribute(value, "_local_tensor")
    if is_tensor(local):
        yield "local_shape", str(list(_sizes(_Reader(torch, local).read("shape", ())) or ()))
        placements = static_attribute(static_attribute(value, "_spec"), "placements")
        if type(placements) is tuple:
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
        traits.append(("capped", f"counted {MAX_PARAMETERS} parameter tensors and modules, there are more"))
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
    for registry in _REGISTRIES:
        for name, entry in _registry(module, registry).items():
            yield _key_text(name), entry


def _registry(module: object, name: str) -> dict[Any, Any]:
    """The dict in which an nn.Module keeps its parameters, buffers or children, without its `__getattr__`."""
    entries = _instance_dict(module).get(name)
    if isinstance(entries, dict):
        return entries
    # A ScriptModule wraps dicts of its own, those of parameters and buffers in C++.
    wrapped = _instance_dict(entries)
    children, pairs = wrapped.get("_python_modules"), wrapped.get("_c")
    if isinstance(children, dict):
        return children
    scripted = getattr(sys.modules["torch"], "_C", None)
    if pairs is not None and type(pairs) in (
        getattr(scripted, "ParameterDict", None),
        getattr(scripted, "BufferDict", None),
    ):
        return dict(pairs.items())
    return {}


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
            self._see(module)
            for parameter in _registry(module, "_parameters").values():
                if parameter is not None and id(parameter) not in self._seen and not self.capped:
                    self._see(parameter)
                    self._count_one(parameter)
            children = _registry(module, "_modules").values()
            stack.extend(child for child in islice(children, MAX_PARAMETERS + 1) if child is not None)

    def _see(self, part: object) -> None:
        self._seen.add(id(part))
        self.capped = len(self._seen) > MAX_PARAMETERS

    def _count_one(self, parameter: object) -> None:
        if self.capped:
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
    if found is None or not _is_descriptor(found):
        return found
    if type(value).__module__ == "__main__" and type(found) is not MemberDescriptorType:
        return None
    return getattr(value, name)


def _optional_attribute(value: object, name: str) -> Any:
    try:
        return _array_attribute(value, name)
    # An array whose buffer was given away still has a shape.
    except Exception:  # noqa: BLE001
        return None


def _array_like(value: Any, _depth: int) -> Spec:
    shape = _sizes(_array_attribute(value, "shape"))
    dtype = _array_attribute(value, "dtype")
    nbytes = _optional_attribute(value, "nbytes")
    device = _optional_attribute(value, "device")
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
    # An OrderedDict too: its own iterator hashes the keys, which runs the code of the user's.
    if issubclass(kind, dict):
        return dict.__len__(value), _keyed(dict.items(value))
    if issubclass(kind, tuple):
        fields = inspect.getattr_static(kind, "_fields", None)
        # What `x.max(dim)` and the like give are struct sequences, which name their fields here.
        if inspect.getattr_static(kind, "n_sequence_fields", None) is not None:
            fields = inspect.getattr_static(kind, "__match_args__", None)
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
    """The attributes that an object itself holds; a property called `__dict__` would be the user's code."""
    for kind in type(value).__mro__:
        found = type.__dict__["__dict__"].__get__(kind).get("__dict__")
        if found is not None:
            state = found.__get__(value) if type(found) in (GetSetDescriptorType, MemberDescriptorType) else None
            return state if type(state) is dict else {}
    return {}


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
