"""The stack machine of the pickle format, without any calls."""

import codecs
import struct
import sys
from collections.abc import Callable
from typing import IO, Any

from keras_mmfusion.data._long_text import (
    LongText,
    as_tuple,
    plain,
    read_long_text,
)
from keras_mmfusion.data._numpy_pickle import (
    BUILDERS,
    PickleError,
    apply_builder,
    build_state,
    check_key,
)

# Small objects cost more in memory than in the file (a word of 5 letters:
# 12 bytes there, about 70 here). No known file needs more than this beyond
# twice its size.
_ALLOWANCE = 64 * 2**20
# Text can take 4 bytes a character, so long text is taken apart.
_LONGEST_TEXT = 2**20
_LONGEST_LINE = 1024
# What an instruction may add to memory: its object and a place on the stack.
_STEP_BYTES = 64
_LARGER_STEPS = {
    0x5D: 96,  # list
    0x7D: 112,  # dict
    0x8F: 256,  # set
    0x91: 256,  # frozenset
    0x52: 256,  # array or dtype
    0x85: 96,  # tuples
    0x86: 96,
    0x87: 96,
    0x74: 96,
}
_MARK = object()


class Machine:
    """Stack machine of the pickle format, without calls."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size
        self.position = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._left = 2 * size + _ALLOWANCE

    def run(self) -> Any:
        while True:
            code = self._read(1)[0]
            if code == 0x2E:  # STOP
                return plain(self._pop(), self.charge)
            step = _STEPS.get(code)
            if step is None:
                _refuse_code(code)
            else:
                self.charge(_LARGER_STEPS.get(code, _STEP_BYTES))
                step(self)

    def charge(self, count: int) -> None:
        """Count `count` bytes of memory against what the file may take."""
        self._left -= count
        if self._left < 0:
            raise PickleError(
                "it describes objects that take more than twice its size in "
                "memory, which no data file does"
            )

    # Reading.

    def _read(self, count: int) -> bytes:
        # Compared before reading, so a false length allocates nothing.
        if count > self._size - self.position:
            raise PickleError(
                f"truncated, {count} bytes were declared and "
                f"{self._size - self.position} are left"
            )
        data = self._file.read(count)
        self.position += len(data)
        if len(data) != count:
            raise PickleError("truncated, the file ends early")
        return data

    def _line(self, longest: int = _LONGEST_LINE) -> bytes:
        limit = min(longest, self._size - self.position)
        data = self._file.readline(limit)
        self.position += len(data)
        if not data.endswith(b"\n"):
            raise PickleError("truncated, or a line without an end")
        return data[:-1]

    def _number(self, form: str) -> int:
        return int(struct.unpack(form, self._read(struct.calcsize(form)))[0])

    def _count(self, form: str) -> int:
        count = self._number(form)
        if count < 0:
            raise PickleError(f"negative length {count}")
        if count > self._size - self.position:
            self._read(count)  # Says that the file is truncated.
        return count

    def _payload(self, form: str) -> bytes:
        data = self._read(self._count(form))
        self.charge(len(data))
        return data

    def _text(self, form: str) -> str | LongText:
        count = self._count(form)
        if count > _LONGEST_TEXT:
            try:
                return read_long_text(self._read, count, self.charge)
            except UnicodeDecodeError:
                raise PickleError("text that is not utf-8") from None
        text = _decoded(self._read(count), "utf-8")
        self.charge(sys.getsizeof(text))
        return text

    def _python_2_text(self, form: str) -> str | LongText:
        # Python 2 has one type for text and bytes; latin-1 keeps both.
        data = self._payload(form)
        if len(data) > _LONGEST_TEXT:
            return LongText(data)
        return data.decode("latin-1")

    # The stack.

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise PickleError("the stack is empty")
        return self._stack.pop()

    def _top(self) -> Any:
        value = self._pop()
        self.push(value)
        return value

    def _pop_to_mark(self) -> list[Any]:
        values: list[Any] = []
        while self._stack:
            value = self._stack.pop()
            if value is _MARK:
                values.reverse()
                self.charge(8 * len(values))
                return values
            values.append(value)
        raise PickleError("a mark is missing")

    def _contents(self) -> list[Any]:
        """What a container takes, down to the mark."""
        return [plain(value, self.charge) for value in self._pop_to_mark()]

    def tuple_of(self, values: list[Any]) -> None:
        self.push(as_tuple(values, self.charge))

    def _take(self, count: int) -> list[Any]:
        values = [self._pop() for _ in range(count)]
        return values[::-1]

    def put(self, index: int) -> None:
        self.charge(_STEP_BYTES)
        self._memo[index] = self._top()

    def get(self, index: int) -> None:
        if index not in self._memo:
            raise PickleError(f"memo entry {index} was never stored")
        self.push(self._memo[index])

    # Names and calls.

    def name(self, module: Any, attribute: Any) -> None:
        if not (isinstance(module, str) and isinstance(attribute, str)):
            raise PickleError("a name that is not text")
        offender = f"{module}.{attribute}"
        builder = BUILDERS.get(offender)
        if builder is None:
            raise PickleError("", offender[:200])
        self.push(builder)

    def reduce(self) -> None:
        builder, arguments = self._take(2)
        self.push(apply_builder(builder, arguments, self.charge))

    def build(self) -> None:
        target, state = self._take(2)
        self.push(build_state(target, state, self.charge))

    # Containers.

    def extend(self, values: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise PickleError("appends to something that is not a list")
        self.charge(8 * len(values))
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, dict) or len(values) % 2:
            raise PickleError("sets items of something that is not a dict")
        self._fill(target, values)

    def _fill(self, target: dict[Any, Any], values: list[Any]) -> None:
        self.charge(_STEP_BYTES * len(values))
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[check_key(key)] = value

    def add_items(self) -> None:
        values = self._contents()
        target = self._top()
        if not isinstance(target, set):
            raise PickleError("adds to something that is not a set")
        self.charge(_STEP_BYTES * len(values))
        target.update(check_key(value) for value in values)

    def frozen_set(self) -> None:
        values = self._contents()
        self.charge(_STEP_BYTES * len(values))
        self.push(frozenset(check_key(value) for value in values))

    def dict_from_mark(self) -> None:
        values = self._contents()
        if len(values) % 2:
            raise PickleError("a dict with a key but no value")
        target: dict[Any, Any] = {}
        self._fill(target, values)
        self.push(target)

    # Text forms of protocol 0.

    def integer_line(self) -> None:
        line = self._line()
        if line in (b"00", b"01"):
            self.push(line == b"01")
            return
        self.push(_parsed(int, line.rstrip(b"L")))

    def float_line(self) -> None:
        self.push(_parsed(float, self._line()))

    def string_line(self) -> None:
        line = self._line(self._size)
        self.charge(len(line))
        if len(line) < 2 or line[:1] not in b"'\"" or line[-1:] != line[:1]:
            raise PickleError("a string without quotes")
        # `escape_decode` is the inverse of Python 2's repr.
        data = _parsed(codecs.escape_decode, line[1:-1])[0]
        self.push(data.decode("latin-1"))

    def unicode_line(self) -> None:
        line = self._line(self._size)
        self.charge(4 * len(line))
        self.push(_decoded(line, "raw-unicode-escape"))

    def long_integer(self, form: str) -> None:
        self.push(int.from_bytes(self._payload(form), "little", signed=True))

    def check_frame(self) -> None:
        # Frames only help a reader to read ahead; their length is a claim.
        if self._number("<Q") > self._size - self.position:
            raise PickleError("truncated, a frame is longer than the file")

    def check_protocol(self) -> None:
        protocol = self._read(1)[0]
        if protocol > 5:
            raise PickleError(f"pickle protocol {protocol} is unknown")


def _parsed(parse: Callable[[Any], Any], data: bytes) -> Any:
    try:
        return parse(data)
    except ValueError:
        raise PickleError(f"{data[:20]!r} is not a value") from None


def _decoded(data: bytes, encoding: str) -> str:
    # "surrogatepass" is what pickle writes lone surrogates with.
    errors = "surrogatepass" if encoding == "utf-8" else "strict"
    try:
        return data.decode(encoding, errors)
    except UnicodeDecodeError:
        raise PickleError(f"text that is not {encoding}") from None


def _refuse_code(code: int) -> None:
    names = {
        0x50: "a persistent id (as in PyTorch checkpoints)",
        0x51: "a persistent id (as in PyTorch checkpoints)",
        0x82: "the copyreg extension registry",
        0x83: "the copyreg extension registry",
        0x84: "the copyreg extension registry",
        0x6F: "an instance of a class",
        0x81: "an instance of a class",
        0x92: "an instance of a class",
        0x97: "an out-of-band buffer",
        0x98: "an out-of-band buffer",
    }
    if code in names:
        raise PickleError("", names[code])
    raise PickleError(f"byte {code:#04x} is no pickle instruction")


def _line_name(machine: Machine) -> None:
    module = _decoded(machine._line(), "utf-8")
    machine.name(module, _decoded(machine._line(), "utf-8"))


def _line_instance(machine: Machine) -> None:
    _line_name(machine)
    _refuse_code(0x6F)


def _drop(machine: Machine) -> None:
    if not machine._stack:
        raise PickleError("the stack is empty")
    machine._stack.pop()


def _ignore(_: object) -> None:
    """Discard a value."""


# What every instruction does, by its code.
_VALUES: dict[str, Callable[[Machine], None]] = {
    "(": lambda m: m.push(_MARK),
    "0": lambda m: _drop(m),
    "1": lambda m: _ignore(m._pop_to_mark()),
    "2": lambda m: m.push(m._top()),
    "N": lambda m: m.push(None),
    "\x88": lambda m: m.push(True),
    "\x89": lambda m: m.push(False),
    "I": Machine.integer_line,
    "L": Machine.integer_line,
    "F": Machine.float_line,
    "S": Machine.string_line,
    "V": Machine.unicode_line,
    "J": lambda m: m.push(m._number("<i")),
    "K": lambda m: m.push(m._number("<B")),
    "M": lambda m: m.push(m._number("<H")),
    "\x8a": lambda m: m.long_integer("<B"),
    "\x8b": lambda m: m.long_integer("<i"),
    "G": lambda m: m.push(struct.unpack(">d", m._read(8))[0]),
    "T": lambda m: m.push(m._python_2_text("<i")),
    "U": lambda m: m.push(m._python_2_text("<B")),
    "B": lambda m: m.push(m._payload("<I")),
    "C": lambda m: m.push(m._payload("<B")),
    "\x8e": lambda m: m.push(m._payload("<Q")),
    "\x96": lambda m: m.push(m._payload("<Q")),
    "X": lambda m: m.push(m._text("<I")),
    "\x8c": lambda m: m.push(m._text("<B")),
    "\x8d": lambda m: m.push(m._text("<Q")),
}
_OPERATIONS: dict[str, Callable[[Machine], None]] = {
    "]": lambda m: m.push([]),
    "}": lambda m: m.push({}),
    ")": lambda m: m.push(()),
    "\x8f": lambda m: m.push(set()),
    "l": lambda m: m.push(m._contents()),
    "d": Machine.dict_from_mark,
    "t": lambda m: m.tuple_of(m._pop_to_mark()),
    "\x85": lambda m: m.tuple_of(m._take(1)),
    "\x86": lambda m: m.tuple_of(m._take(2)),
    "\x87": lambda m: m.tuple_of(m._take(3)),
    "\x91": Machine.frozen_set,
    "a": lambda m: m.extend([plain(m._pop(), m.charge)]),
    "e": lambda m: m.extend(m._contents()),
    "s": lambda m: m.set_items([plain(v, m.charge) for v in m._take(2)]),
    "u": lambda m: m.set_items(m._contents()),
    "\x90": Machine.add_items,
    "g": lambda m: m.get(_parsed(int, m._line())),
    "h": lambda m: m.get(m._number("<B")),
    "j": lambda m: m.get(m._number("<I")),
    "p": lambda m: m.put(_parsed(int, m._line())),
    "q": lambda m: m.put(m._number("<B")),
    "r": lambda m: m.put(m._number("<I")),
    "\x94": lambda m: m.put(len(m._memo)),
    "c": _line_name,
    "i": _line_instance,
    "\x93": lambda m: m.name(*m._take(2)),
    "R": Machine.reduce,
    "b": Machine.build,
    "\x80": Machine.check_protocol,
    "\x95": Machine.check_frame,
}
_STEPS = {ord(c): step for c, step in (_VALUES | _OPERATIONS).items()}
