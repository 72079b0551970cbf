"""Long text in a pickle, which may be the bytes of an array.

Protocol 2 writes the bytes of arrays as characters up to U+00FF. Such text
is taken apart while it is read, so that it is in memory once; it becomes a
`str` only where something else than an array takes it.
"""

import codecs
import io
import sys
from collections.abc import Callable, Iterable
from typing import Any

Charge = Callable[[int], None]

_PIECE = 2**20


class LongText:
    """The bytes of long text, one a character: what arrays are made of.

    Attributes:
        data: the text in latin-1.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._text: str | None = None

    def text(self, charge: Charge) -> str:
        """The text; made once, however many containers hold it."""
        if self._text is None:
            charge(len(self.data))
            self._text = self.data.decode("latin-1")
        return self._text


class _LongTuple(tuple[Any, ...]):
    """Arguments or the state of an array, with `LongText` among them."""

    plain: tuple[Any, ...] | None = None


def plain(value: Any, charge: Charge) -> Any:
    """The value, as a container or the result holds it."""
    if isinstance(value, LongText):
        return value.text(charge)
    if isinstance(value, _LongTuple):
        # Kept, so that what the pickle shares stays shared.
        if value.plain is None:
            charge(8 * len(value))
            value.plain = tuple(plain(part, charge) for part in value)
        return value.plain
    return value


def as_tuple(values: Iterable[Any], charge: Charge) -> tuple[Any, ...]:
    """A tuple, which may be an array's arguments or be held by something."""
    # Arrays take long text from the outermost tuple only.
    parts = [
        plain(value, charge) if isinstance(value, _LongTuple) else value
        for value in values
    ]
    is_long = any(isinstance(part, LongText) for part in parts)
    return _LongTuple(parts) if is_long else tuple(parts)


def read_long_text(
    read: Callable[[int], bytes], count: int, charge: Charge
) -> str | LongText:
    """Text of `count` bytes of UTF-8, as bytes where it is latin-1.

    Raises:
        UnicodeDecodeError: if it is not UTF-8.
    """
    # As pickle writes lone surrogates.
    decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
    data = io.BytesIO()
    while count:
        piece = read(min(count, _PIECE))
        count -= len(piece)
        text = decoder.decode(piece, final=not count)
        try:
            data.write(text.encode("latin-1"))
        except UnicodeEncodeError:
            # No array's bytes.
            pieces = [data.getvalue().decode("latin-1"), text]
            return _joined(pieces, decoder, read, count, charge)
        charge(len(text))
    return LongText(data.getvalue())


def _joined(
    pieces: list[str],
    decoder: codecs.IncrementalDecoder,
    read: Callable[[int], bytes],
    count: int,
    charge: Charge,
) -> str:
    charge(sum(sys.getsizeof(piece) for piece in pieces))
    while count:
        piece = read(min(count, _PIECE))
        count -= len(piece)
        pieces.append(decoder.decode(piece, final=not count))
        charge(sys.getsizeof(pieces[-1]))
    # All characters take the bytes of the widest.
    widest = max(max(piece, default="") for piece in pieces)
    width = sys.getsizeof(2 * widest) - sys.getsizeof(widest)
    charge(width * sum(map(len, pieces)))
    return "".join(pieces)
