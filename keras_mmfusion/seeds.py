"""Seeds of the parts of something that was given one seed."""

import zlib


def part_seed(seed: int | None, part: object) -> int | None:
    """The seed of a part, from the seed of the whole and the part's name.

    With one seed for all, twin modalities would drop the same values and begin
    with the same weights.
    """
    if seed is None:
        return None
    return zlib.crc32(f"{seed} {part}".encode()) % 2**31
