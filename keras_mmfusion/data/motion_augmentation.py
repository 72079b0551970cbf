"""Random bodies, cameras, sensors and speeds for `motion` inputs."""

from collections.abc import Callable, Mapping

import numpy as np

from keras_mmfusion.data import motion
from keras_mmfusion.data.motion import Array
from keras_mmfusion.data.varied_speed import random_path, read_along

Inputs = dict[str, Array]
_KNOTS = 5


class MotionAugmentation:
    """Changes the inputs of `motion` as other people and sensors would.

    A transform for `Split.batches`. Every sequence is cut at both ends and
    runs at a speed that varies; a skeleton gets other limbs, is turned about
    the vertical and a little about any axis, and each joint is off by a
    constant; a sensor is turned and has another gain and noise; a depth clip
    is shifted on its grid, with other gains and noise. Nothing is mirrored:
    that would turn left into right. A missing modality stays missing.

    Args:
        turn: Largest angle about the vertical, in degrees.
        tilt: Largest angle about any axis, in degrees.
        scale: Largest share by which body size and gains change.
        limbs: Largest share by which a limb's length changes.
        joints: Deviation of a joint's constant error, in metres.
        sensor: Deviation of the angle by which a sensor is turned.
        sensor_noise: Deviation of its noise, in its units.
        shift: Largest shift of a depth grid, in cells.
        depth_noise: Deviation of the noise of a depth cell.
        crop: Largest share cut off at each end.
        warp: Deviation of the logarithm of the speed.

    Call arguments:
        inputs: Modality to array (B, T, C), of which "skeleton", "inertial"
            and "depth" are changed.
        seed: number or generator.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import MotionAugmentation, motion

    clip = np.random.default_rng(0).normal(size=(150, 6))
    x = {"inertial": motion.inertial_input(clip)[None]}
    print(MotionAugmentation()(x, seed=0)["inertial"].shape)  # (1, 64, 12)
    ```
    """

    def __init__(
        self,
        turn: float = 20.0,
        tilt: float = 5.0,
        scale: float = 0.1,
        limbs: float = 0.1,
        joints: float = 0.01,
        sensor: float = 15.0,
        sensor_noise: float = 0.05,
        shift: float = 1.0,
        depth_noise: float = 0.02,
        crop: float = 0.1,
        warp: float = 0.2,
    ) -> None:
        self.turn = turn
        self.tilt = tilt
        self.scale = scale
        self.limbs = limbs
        self.joints = joints
        self.sensor = sensor
        self.sensor_noise = sensor_noise
        self.shift = shift
        self.depth_noise = depth_noise
        self.crop = crop
        self.warp = warp

    def __call__(
        self,
        inputs: Mapping[str, Array],
        seed: int | np.random.Generator = 0,
    ) -> Inputs:
        random = np.random.default_rng(seed)
        functions: dict[str, Callable[..., Array]] = {
            "skeleton": self._skeleton,
            "inertial": self._inertial,
            "depth": self._depth,
        }
        result = dict(inputs)
        for name in sorted(functions.keys() & inputs.keys()):
            x = inputs[name]
            present = (x != 0).any(axis=(1, 2), keepdims=True)
            result[name] = functions[name](x, random) * present
        return result

    def _skeleton(self, channels: Array, random: np.random.Generator) -> Array:
        x = motion.skeleton_positions(channels)
        count = len(x)
        x = np.matmul(self._other_limbs(count, random)[:, None], x)
        vertical = np.tile([0.0, 1.0, 0.0], (count, 1))
        turn = rotations(vertical, random.uniform(-1, 1, count) * self.turn)
        tilt = rotations(
            random.normal(size=(count, 3)),
            random.uniform(-1, 1, count) * self.tilt,
        )
        size = 1 + random.uniform(-self.scale, self.scale, (count, 1, 1))
        change = (turn @ tilt * size).astype(np.float32)
        x = np.matmul(x.reshape(count, -1, 3), change).reshape(x.shape)
        error = random.standard_normal((count, 1, *x.shape[2:]), np.float32)
        x = x + self.joints * error
        return motion.skeleton_channels(self._retimed(x, random))

    def _other_limbs(self, count: int, random: np.random.Generator) -> Array:
        """Matrices (B, 20, 20) that stretch bones, from the hip outwards."""
        length = 1 + random.uniform(-self.limbs, self.limbs, (count, 20))
        for left, right in (
            (motion.LEFT_ARM, motion.RIGHT_ARM),
            (motion.LEFT_LEG, motion.RIGHT_LEG),
        ):
            length[:, left] = length[:, right]
        matrix = np.zeros((count, motion.JOINTS, motion.JOINTS), np.float32)
        matrix[:, motion.HIP, motion.HIP] = 1
        for joint in motion.OUTWARDS:
            parent = motion.PARENTS[joint]
            matrix[:, joint] = matrix[:, parent]
            matrix[:, joint, joint] += length[:, joint]
            matrix[:, joint, parent] -= length[:, joint]
        return matrix

    def _inertial(self, channels: Array, random: np.random.Generator) -> Array:
        x = self._retimed(channels[..., :6], random)
        count = len(x)
        angle = random.normal(0, self.sensor, count)
        turn = rotations(random.normal(size=(count, 3)), angle)
        x = np.concatenate([x[..., :3] @ turn, x[..., 3:] @ turn], axis=-1)
        x = x * (1 + random.uniform(-self.scale, self.scale, (count, 1, 1)))
        x = x + self.sensor_noise * random.standard_normal(x.shape, np.float32)
        return motion.inertial_channels(x)

    def _depth(self, channels: Array, random: np.random.Generator) -> Array:
        x = self._retimed(motion.depth_cells(channels), random)
        count = len(x)
        for axis in (2, 3):
            size = x.shape[axis]
            shift = random.uniform(-self.shift, self.shift, (count, 1))
            place = np.clip(np.arange(size) + shift, 0, size - 1)
            x = motion.interpolate(np.moveaxis(x, axis, 1), place)
            x = np.moveaxis(x, 1, axis)
        gain = random.uniform(-self.scale, self.scale, (count, 1, 1, 1, 2))
        noise = random.standard_normal(x.shape, np.float32)
        return motion.depth_channels(
            x * (1 + gain).astype(np.float32) + self.depth_noise * noise
        )

    def _retimed(self, x: Array, random: np.random.Generator) -> Array:
        """Clips (B, T, ...) cut, and at a speed that varies."""
        path = random_path(len(x), _KNOTS, self.crop, self.warp, random)
        return read_along(x, path, np.full(len(x), x.shape[1]))


def rotations(axes: Array, degrees: Array) -> Array:
    """Rotation matrices (B, 3, 3) about axes (B, 3), by Rodrigues' formula.

    R = I + sin(a) K + (1 - cos(a)) K²,   K v = axis x v
    """
    x, y, z = (axes / np.linalg.norm(axes, axis=1, keepdims=True)).T
    cross = np.zeros((len(axes), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -z, y, -x
    cross -= cross.transpose(0, 2, 1)
    angle = np.deg2rad(degrees)[:, None, None]
    turned = np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return np.asarray(np.eye(3) + turned, np.float32)
