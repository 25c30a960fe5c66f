"""An interpreter for pickles that knows no code: what a pickle wants to call is noted, not called.

Python's own unpickler imports and calls what the file names. This one handles plain values; names become
`Name`, and whatever would be constructed with them becomes a `Thing` that keeps what it was given. Only
what a tensor is put together from means something (`Storage`, `View`), and that is data, too.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from .limits import Damaged

MAX_STEPS = 5_000_000


@dataclass(frozen=True)
class Name:
    """A class or function that the pickle refers to, such as "torch.FloatStorage"."""

    text: str


@dataclass(eq=False)
class Thing:
    """Something that would have been constructed: an object of a class, or the result of a call.

    Attributes:
        maker: what would have made it.
        arguments: what it would have been made with.
        state: what it would have been given afterwards; a dictionary of its attributes, mostly.
        items: what would have been appended or set.
    """

    maker: Any
    arguments: Any
    state: Any = None
    items: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Storage:
    """A flat array of numbers that lies outside the pickle.

    Attributes:
        kind: "FloatStorage" and so on.
        key: which.
        count: elements, as declared; of the storage that it is a view of, where it is one.
        offset: where in the storage `key` it begins, elements.
    """

    kind: str
    key: str
    count: int
    offset: int = 0


@dataclass(frozen=True)
class View:
    """A tensor: where it lies in a storage. Nothing of it is checked yet.

    Attributes:
        storage: a `Storage`, unless the file is damaged.
        offset, size, stride: in elements, as torch has them.
        dtype: `Name`, where the storage's kind does not tell.
    """

    storage: Any
    offset: Any
    size: Any
    stride: Any
    dtype: Name | None = None


_MARK = object()
_SAME = {  # functions whose result is, for us, their first argument
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch.jit._pickle.build_boollist",
    "torch.jit._pickle.build_doublelist",
    "torch.jit._pickle.build_intlist",
    "torch.jit._pickle.build_tensorlist",
    "torch.jit._pickle.restore_type_tag",
    "torch.Size",
}
_DICTIONARIES = {"collections.OrderedDict", "collections.defaultdict", "builtins.dict", "__builtin__.dict"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}


def read(stream: BinaryIO, storages: list[Storage] | None = None) -> Any:
    """Read one pickle, and leave the stream behind it.

    Args:
        stream: at its beginning.
        storages: where to add all storages that it refers to.

    Raises:
        Damaged: it is none, or uses what no checkpoint does.
        ValueError, IndexError, KeyError, TypeError: it makes no sense.
    """
    return _Reader([] if storages is None else storages).run(stream)


class _Reader:
    def __init__(self, storages: list[Storage]) -> None:
        self.storages = storages
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, stream: BinaryIO) -> Any:
        for step, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if step > MAX_STEPS:
                raise Damaged("it is far more complicated than weights are")
            name = opcode.name
            if name == "STOP":
                return self.pop()
            if name in _VALUES:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _TUPLES:
                self.stack.append(tuple([self.pop() for _ in range(_TUPLES[name])][::-1]))
            elif name == "GLOBAL":
                self.stack.append(Name(str(argument).replace(" ", ".")))
            else:
                handler: Callable[[Any], None] | None = getattr(self, f"do_{name.lower()}", None)
                if handler is None:
                    raise Damaged(f"it uses what no weights need ({name})")
                handler(argument)
        raise Damaged("it ends in the middle")

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise Damaged("what it says of itself makes no sense")
        return value

    def to_mark(self) -> list[Any]:
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise Damaged("what it says of itself makes no sense")

    # -- the stack ---------------------------------------------------------------------------------------

    def do_proto(self, argument: Any) -> None:
        pass

    do_frame = do_proto

    def do_mark(self, argument: Any) -> None:
        self.stack.append(_MARK)

    def do_pop(self, argument: Any) -> None:
        self.stack.pop()

    def do_pop_mark(self, argument: Any) -> None:
        self.to_mark()

    def do_dup(self, argument: Any) -> None:
        value = self.pop()
        self.stack += [value, value]

    def do_put(self, argument: Any) -> None:
        self.memo[argument] = self.stack[-1]

    do_binput = do_long_binput = do_put

    def do_memoize(self, argument: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def do_get(self, argument: Any) -> None:
        self.stack.append(self.memo[argument])

    do_binget = do_long_binget = do_get

    # -- collections -------------------------------------------------------------------------------------

    def do_empty_tuple(self, argument: Any) -> None:
        self.stack.append(())

    def do_tuple(self, argument: Any) -> None:
        self.stack.append(tuple(self.to_mark()))

    def do_empty_list(self, argument: Any) -> None:
        self.stack.append([])

    do_empty_set = do_empty_list  # as a list: nothing is hashed that could take long to hash

    def do_list(self, argument: Any) -> None:
        self.stack.append(self.to_mark())

    do_frozenset = do_list

    def do_append(self, argument: Any) -> None:
        value = self.pop()
        _list(self.stack[-1]).append(value)

    def do_appends(self, argument: Any) -> None:
        values = self.to_mark()
        _list(self.stack[-1]).extend(values)

    do_additems = do_appends

    def do_empty_dict(self, argument: Any) -> None:
        self.stack.append({})

    def do_dict(self, argument: Any) -> None:
        content: dict[Any, Any] = {}
        _set(content, self.to_mark())
        self.stack.append(content)

    def do_setitem(self, argument: Any) -> None:
        value, key = self.pop(), self.pop()
        _set(self.stack[-1], [key, value])

    def do_setitems(self, argument: Any) -> None:
        items = self.to_mark()
        _set(self.stack[-1], items)

    # -- what would be code ------------------------------------------------------------------------------

    def do_stack_global(self, argument: Any) -> None:
        name, module = self.pop(), self.pop()
        self.stack.append(Name(f"{module:.200}.{name:.200}"))

    def do_reduce(self, argument: Any) -> None:
        arguments, function = self.pop(), self.pop()
        self.stack.append(_make(function, arguments))

    do_newobj = do_reduce

    def do_newobj_ex(self, argument: Any) -> None:
        self.pop()  # keywords
        self.do_reduce(argument)

    def do_inst(self, argument: Any) -> None:
        self.stack.append(_make(Name(argument.replace(" ", ".")), tuple(self.to_mark())))

    def do_obj(self, argument: Any) -> None:
        maker, *arguments = self.to_mark()
        self.stack.append(_make(maker, tuple(arguments)))

    def do_build(self, argument: Any) -> None:
        state = self.pop()
        target = self.stack[-1]
        if isinstance(target, Thing):
            target.state = state

    def do_binpersid(self, argument: Any) -> None:
        storage = _storage(self.pop())
        self.storages.append(storage)
        self.stack.append(storage)


def _list(target: Any) -> list[Any]:
    if isinstance(target, Thing):
        return target.items
    if isinstance(target, list):
        return target
    raise Damaged("what it says of itself makes no sense")


def _set(target: Any, items: list[Any]) -> None:
    if len(items) % 2:
        raise Damaged("what it says of itself makes no sense")
    if isinstance(target, Thing):
        target.items.extend(items)
    elif isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, (str, int)):  # no tensor has a name of another kind
                target[key] = value
    else:
        raise Damaged("what it says of itself makes no sense")


def _make(maker: Any, arguments: Any) -> Any:
    name = maker.text if isinstance(maker, Name) else ""
    if name in _DICTIONARIES:
        content: dict[Any, Any] = {}
        for pairs in arguments:
            if isinstance(pairs, list) and all(isinstance(pair, (list, tuple)) for pair in pairs):
                _set(content, [value for pair in pairs for value in pair])
        return content
    if name in _SAME:
        return arguments[0]
    if name == "torch._utils._rebuild_from_type_v2":
        return _make(arguments[0], arguments[2])
    if name in ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"):
        return View(*arguments[:4])
    if name == "torch._utils._rebuild_tensor_v3":
        storage, offset, size, stride = arguments[:4]
        return View(storage, offset, size, stride, arguments[6])
    return Thing(maker, arguments)


def _storage(identity: Any) -> Storage:
    """A reference to something outside the pickle, as torch writes it."""
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        raise Damaged("it refers to something that is not in it")
    _, kind, key, _, count, *view = identity
    offset = 0
    if view and view[0] is not None:
        _, offset, count = view[0]
    if (
        not isinstance(kind, Name)
        or type(count) is not int
        or type(offset) is not int
        or offset < 0
        or count < 0
    ):
        raise Damaged("it refers to something that is not in it")
    return Storage(kind.text.rpartition(".")[2], str(key), count, offset)
