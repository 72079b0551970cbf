"""AVI files as arrays of evenly spaced frames."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.formats._files import require_kind

# Recordings are 1920 x 1080 at most; a header may claim far more.
_MOST_PIXELS = 4096 * 4096
SUFFIX = ".avi"


def _pyav() -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise ImportError(
            "Reading and writing AVI files needs PyAV. Install it with "
            "`pip install keras_mmfusion[video]`."
        ) from error
    module: ModuleType = av
    return module


def read_frames(path: Path, count: int, size: int) -> NDArray[np.uint8]:
    """Evenly spaced frames of an AVI file, the first and the last included.

    Args:
        path: the file.
        count: how many; a shorter video repeats frames.
        size: height and width to which frames are resized; their proportions
            are not kept.

    Returns:
        Red, green, blue, 0 to 255, shape (count, size, size, 3).

    Raises:
        ValueError: if it is no AVI video, or its frames are too large.
        OSError: if it is truncated or damaged.
    """
    require_kind(path, "avi", "an AVI video")
    av = _pyav()
    try:
        wanted = np.linspace(0, _frame_count(path) - 1, count).round()
        found = _decoded(path, {int(index) for index in wanted}, size)
    except av.error.FFmpegError as error:
        raise OSError(
            f"{path}: the AVI video is truncated or damaged: {error}"
        ) from None
    missing = [int(index) for index in wanted if int(index) not in found]
    if missing:
        raise OSError(
            f"{path}: the AVI video is truncated or damaged: frame "
            f"{missing[0]} cannot be decoded."
        )
    return np.stack([found[int(index)] for index in wanted])


def _frame_count(path: Path) -> int:
    # The count in the header is missing if a recording was broken off.
    with _opened(path) as file:
        stream = _video_stream(file, path)
        declared = stream.frames
        count = sum(1 for packet in file.demux(stream) if packet.size)
    if count < declared:
        raise OSError(
            f"{path}: the AVI video is truncated: {count} of its {declared} "
            "frames are there. Copy the file again."
        )
    if not count:
        raise ValueError(f"{path}: expected a video. Received: no frames.")
    return count


def _decoded(
    path: Path, wanted: set[int], size: int
) -> dict[int, NDArray[np.uint8]]:
    found = {}
    last = max(wanted)
    with _opened(path) as file:
        stream = _video_stream(file, path)
        for index, frame in enumerate(file.decode(stream)):
            if index in wanted:
                found[index] = frame.to_ndarray(
                    format="rgb24", width=size, height=size
                )
            if index == last:
                break
    return found


def _opened(path: Path) -> Any:
    # The format is fixed: others, such as playlists, make FFmpeg open more
    # files than the one it was given.
    return _pyav().open(str(path), format="avi")


def _video_stream(file: Any, path: Path) -> Any:
    if not file.streams.video:
        raise ValueError(f"{path}: expected a video. Received: sound only.")
    stream = file.streams.video[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if not 0 < width * height <= _MOST_PIXELS:
        raise ValueError(
            f"{path}: expected frames of at most 4096 x 4096. Received: a "
            f"video that declares {width} x {height}."
        )
    return stream


def write_frames(path: Path, frames: NDArray[Any], rate: int = 30) -> None:
    """Write frames (T, H, W, 3), 0 to 255, as AVI without loss."""
    pixels = np.clip(np.rint(frames), 0, 255).astype(np.uint8)
    av = _pyav()
    with av.open(str(path), "w", format="avi") as file:
        stream = file.add_stream("ffv1", rate=rate)
        stream.height, stream.width = pixels.shape[1:3]
        stream.pix_fmt = "bgr0"
        for picture in pixels:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
