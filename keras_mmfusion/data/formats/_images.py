"""Image files as arrays."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Video frames are far smaller; a header may claim 65,500 x 65,500.
_MOST_PIXELS = 4096 * 4096
_FORMATS = ("JPEG", "PNG")
SUFFIXES = (".jpg", ".jpeg", ".png")


def _pillow() -> ModuleType:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Reading and writing video frames needs Pillow. Install it with "
            "`pip install pillow`."
        ) from error
    module: ModuleType = Image
    return module


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image as (height, width, 3), red, green, blue, 0 to 255.

    Raises:
        ValueError: if it is no JPEG or PNG image, or too large.
        OSError: if it is truncated.
    """
    image = _pillow()
    try:
        with image.open(path, formats=_FORMATS) as file:
            _check_size(file.size, path)
            pixels = np.asarray(file.convert("RGB"))
    except image.UnidentifiedImageError:
        raise ValueError(
            f"{path}: expected a JPEG or PNG image. Received: another content."
        ) from None
    except image.DecompressionBombError as error:
        raise ValueError(f"{path}: refused, {error}") from None
    except (OSError, SyntaxError) as error:
        raise OSError(
            f"{path}: the image is truncated or damaged: {error}"
        ) from None
    return pixels


def _check_size(size: Any, path: Path) -> None:
    if size[0] * size[1] > _MOST_PIXELS:
        raise ValueError(
            f"{path}: expected a video frame of at most 4096 x 4096. "
            f"Received: an image that declares {size[0]} x {size[1]}."
        )


def write_image(path: Path, pixels: NDArray[Any]) -> None:
    """Write an image of (height, width, 3), 0 to 255; the suffix decides."""
    image = _pillow()
    data = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    image.fromarray(data).save(path, quality=95)
