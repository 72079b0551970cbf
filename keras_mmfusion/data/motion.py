"""From raw clips of people moving to inputs of a fixed number of steps.

A clip is resampled to the same number of steps however fast it was, and every
channel has a fixed scale, so nothing has to be fitted to training data:
what trains a model is what any user can feed it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


# Kinect v1: parent of each of the 20 joints, from the hip centre outwards.
PARENTS = (1, 2, 3, -1, 1, 4, 5, 6, 1, 8, 9, 10, 3, 12, 13, 14, 3, 16, 17, 18)
OUTWARDS = (2, 1, 0, *range(4, 20))
HIP, SHOULDERS = 3, 1
LEFT_ARM, RIGHT_ARM = (4, 5, 6, 7), (8, 9, 10, 11)
LEFT_LEG, RIGHT_LEG = (12, 13, 14, 15), (16, 17, 18, 19)
JOINTS = len(PARENTS)
GYRO_SCALE = 150.0  # degrees per second
BODY = 0.9  # Trunk and upper arms of an adult together, in metres.
DEPTH_ROWS, DEPTH_COLUMNS, DEPTH_CELL = (8, 60), 32, 4
GRID = (13, 8, 2)  # Cells of a depth frame, and quantities per cell.
DEPTH_SCALE = np.array([8, 4], np.float32)


def resample(x: Array, steps: int) -> Array:
    """A clip (T, ...) at `steps` evenly spaced moments, by interpolation.

    Raises:
        ValueError: If there is no step to read.
    """
    if len(x) < 1 or steps < 1:
        raise ValueError(
            "A clip needs a step or more, before and after. Received: a clip "
            f"of shape {x.shape}, steps={steps}"
        )
    place = np.linspace(0, len(x) - 1, steps)
    return interpolate(np.asarray(x, np.float32)[None], place[None])[0]


def interpolate(x: Array, places: Array) -> Array:
    """Clips (B, T, ...) read at places (B, t) between 0 and T - 1."""
    first = np.clip(places.astype(np.int64), 0, x.shape[1] - 1)
    second = np.minimum(first + 1, x.shape[1] - 1)
    share = (places - first).astype(np.result_type(x.dtype, np.float32))
    share = share.reshape(share.shape + (1,) * (x.ndim - 2))
    sample = np.arange(len(x))[:, None]
    mixed: Array = x[sample, first] * (1 - share) + x[sample, second] * share
    return mixed


def skeleton_input(clip: Array, steps: int = 32) -> Array:
    """Positions and velocities of a Kinect skeleton, facing the camera.

    The hip centre of the first frame becomes the origin, the line of
    shoulders and hips of the first five frames the x axis, and the size of
    the body 0.9 m.

    Args:
        clip: Joints of a clip (T, 20, 3), in metres: x to the right, y up,
            z away from the camera; joints in the order of Kinect v1.
        steps: Number of steps t.

    Returns:
        Float32 array (t, 120): positions in units of 1/3 m, then velocities.

    Raises:
        ValueError: If the clip has another shape, or a body has no size.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import motion

    clip = np.random.default_rng(0).normal(size=(70, 20, 3))
    print(motion.skeleton_input(clip).shape)  # (32, 120)
    ```
    """
    x = checked_clip(clip, (JOINTS, 3), "skeleton")
    if len(x) > 2:  # Kinect's joints tremble.
        x = np.concatenate([x[:1], (x[:-2] + 2 * x[1:-1] + x[2:]) / 4, x[-1:]])
    x = x - x[0, HIP]
    across = x[:5, RIGHT_ARM[0]] - x[:5, LEFT_ARM[0]]
    across = across + x[:5, RIGHT_LEG[0]] - x[:5, LEFT_LEG[0]]
    angle = np.arctan2(across[:, 2].mean(), across[:, 0].mean())
    c, s = np.cos(angle), np.sin(angle)
    x = x @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]], np.float32)
    size = sum(
        np.median(np.linalg.norm(x[:, a] - x[:, b], axis=-1))
        for a, b in ((SHOULDERS, HIP), (5, 4), (9, 8))
    )
    if not size > 0:
        raise ValueError(
            "The joints of a skeleton must differ. Received a clip whose "
            "trunk and upper arms have length 0."
        )
    return skeleton_channels(resample(x * (BODY / size), steps))


def skeleton_channels(x: Array) -> Array:
    """Positions (..., T, 20, 3) to channels (..., T, 120)."""
    flat = x.reshape(*x.shape[:-2], -1).astype(np.float32)
    return np.concatenate([flat * 3, central_differences(flat) * 30], axis=-1)


def skeleton_positions(channels: Array) -> Array:
    """Channels (..., T, 120) back to positions (..., T, 20, 3)."""
    flat = channels[..., : 3 * JOINTS] / 3
    return flat.reshape(*flat.shape[:-1], JOINTS, 3)


def inertial_input(clip: Array, steps: int = 64) -> Array:
    """Acceleration and rotation of a sensor, and how they change.

    Args:
        clip: Samples (T, 6): acceleration in g, rotation in degrees per
            second.
        steps: Number of steps t.

    Returns:
        Float32 array (t, 12): the six in units of g and 150 degrees per
        second, then their changes from step to step.

    Raises:
        ValueError: If the clip has another shape.
    """
    x = checked_clip(clip, (6,), "inertial")
    scale = np.array([1, 1, 1] + 3 * [1 / GYRO_SCALE], np.float32)
    return inertial_channels(resample(x * scale, steps))


def inertial_channels(x: Array) -> Array:
    """Scaled samples (..., T, 6) to channels (..., T, 12)."""
    x = x.astype(np.float32)
    return np.concatenate([x, central_differences(x) * 3], axis=-1)


def depth_input(clip: Array, steps: int = 16) -> Array:
    """Motion of a person and its outline, on a grid of 13 x 8 cells.

    The grid is centred on the person. Its cells hold the mean absolute change
    of depth between frames, and by how much the share of the cell that the
    person fills changes from step to step. What does not move is left out.

    Args:
        clip: Frames (T, 60, 40) of `shrink_depth`.
        steps: Number of steps t.

    Returns:
        Float32 array (t, 208).

    Raises:
        ValueError: If the clip has another shape, or nobody is in it.
    """
    x = checked_clip(clip, (60, 40), "depth")
    person = x > 0
    columns = person.sum(axis=(0, 1))
    if not columns.any():
        raise ValueError("Nobody is in the depth clip: all of it is 0.")
    centre = round(float((columns * np.arange(40)).sum() / columns.sum()))
    left = min(max(centre - DEPTH_COLUMNS // 2, 0), 40 - DEPTH_COLUMNS)
    change = np.minimum(np.abs(np.diff(x, axis=0, prepend=x[:1])), 60) / 60
    moving, filled = (
        resample(
            _cells(values[:, slice(*DEPTH_ROWS), left : left + DEPTH_COLUMNS]),
            steps,
        )
        for values in (change, person.astype(np.float32))
    )
    outline = central_differences(filled.reshape(steps, -1)).reshape(
        filled.shape
    )
    return depth_channels(np.stack([moving, outline], axis=-1))


def depth_channels(x: Array) -> Array:
    """Cells (..., T, 13, 8, 2) to channels (..., T, 208)."""
    scaled = np.moveaxis(x * DEPTH_SCALE, -1, -3)
    return scaled.reshape(*x.shape[:-3], -1).astype(np.float32)


def depth_cells(channels: Array) -> Array:
    """Channels (..., T, 208) back to cells (..., T, 13, 8, 2)."""
    shape = (*channels.shape[:-1], GRID[2], *GRID[:2])
    return np.moveaxis(channels.reshape(shape), -3, -1) / DEPTH_SCALE


def shrink_depth(frames: Array) -> Array:
    """Kinect's depth (T, 240, 320) in mm to what `depth_input` takes.

    Every second frame; columns 80 to 239; means of 4 x 4 pixels over those
    from 1900 to 3700 mm, 0 where they are less than a quarter; from 1 for
    1900 mm to 255 for 3700 mm.

    Args:
        frames: Depth in millimetres.

    Returns:
        Float32 array (ceil(T / 2), 60, 40).

    Raises:
        ValueError: If the frames have another size.
    """
    x = checked_clip(frames, (240, 320), "depth")[::2, :, 80:240]
    near, far = 1900, 3700
    person = (x >= near) & (x <= far)
    count = _cells(person.astype(np.float32))
    mean = _cells(np.where(person, x, 0)) / np.maximum(count, 1e-6)
    scaled = np.rint(1 + 254 * (mean - near) / (far - near))
    return np.where(count >= 0.25, scaled, 0).astype(np.float32)


def _cells(x: Array) -> Array:
    """Means of frames (T, H, W) over cells of 4 x 4."""
    n, height, width = x.shape
    size = DEPTH_CELL
    shape = (n, height // size, size, width // size, size)
    mean: Array = x.reshape(shape).mean(axis=(2, 4), dtype=np.float32)
    return mean


def central_differences(x: Array) -> Array:
    """Central differences over the last axis but one."""
    if x.shape[-2] < 2:
        return np.zeros_like(x)
    differences: Array = np.gradient(x, axis=-2)
    return differences


def checked_clip(clip: Array, shape: tuple[int, ...], kind: str) -> Array:
    """A clip as finite float32 numbers of the shape (T, *shape)."""
    x = np.asarray(clip, np.float32)
    if x.shape[1:] != shape or not len(x) or not np.isfinite(x).all():
        raise ValueError(
            f"A {kind} clip must have the shape {('T', *shape)}, at least one "
            f"step, and finite values only. Received: shape {x.shape}"
        )
    return x
