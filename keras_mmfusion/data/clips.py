"""What practitioners do to clips of frames before and during training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keras_mmfusion.data.motion import interpolate
from keras_mmfusion.data.padding import Floats

# Mean and deviation of red, green and blue in ImageNet, of values in 0..1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class NormalizeClip:
    """Crops the middle of frames and scales them like ImageNet's images.

        (pixels / 255 - mean) / deviation

    For `keras_mmfusion.data.mapped`: a function of one clip.

    Args:
        size: height and width of the crop.
        bgr: whether to return blue, green, red. The mean and the deviation
            are still applied in the order red, green, blue, because MSAF's
            networks were trained on images that OpenCV had read.

    Call arguments:
        frames: red, green, blue from 0 to 255, (T, H, W, 3).

    Returns:
        Float32 array (T, size, size, 3).

    Raises:
        ValueError: if the frames are smaller than the crop, or not in color.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.clips import NormalizeClip

    clip = NormalizeClip(224)(np.zeros((30, 256, 256, 3), "float32"))
    assert clip.shape == (30, 224, 224, 3)
    ```
    """

    size: int
    bgr: bool = True

    def __call__(self, frames: Floats) -> Floats:
        height, width, channels = frames.shape[1:]
        if min(height, width) < self.size or channels != 3:
            raise ValueError(
                f"Expected frames of at least {self.size} x {self.size} with "
                f"3 channels. Received: {height} x {width} with {channels}."
            )
        top, left = (height - self.size) // 2, (width - self.size) // 2
        crop = frames[:, top : top + self.size, left : left + self.size]
        if self.bgr:
            crop = crop[..., ::-1]
        mean = np.asarray(IMAGENET_MEAN, np.float32)
        deviation = np.asarray(IMAGENET_DEVIATION, np.float32)
        scaled: Floats = (crop / np.float32(255) - mean) / deviation
        return scaled


@dataclass(frozen=True)
class FixedSteps:
    """Cuts a sequence to a number of steps, or pads it with zeros to them.

    For `keras_mmfusion.data.mapped`: a function of one sequence.

    Args:
        steps: the number of steps.

    Call arguments:
        sequence: array (T, ...).

    Returns:
        Array (steps, ...).

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.clips import FixedSteps

    assert FixedSteps(212)(np.ones((200, 13), "float32")).shape == (212, 13)
    ```
    """

    steps: int

    def __call__(self, sequence: Floats) -> Floats:
        kept = sequence[: self.steps]
        missing = [(0, self.steps - len(kept))]
        return np.pad(kept, missing + [(0, 0)] * (kept.ndim - 1))


@dataclass(frozen=True)
class AugmentClips:
    """Random crops and mirror images of clips, a transform for batches.

    A crop covers a random share of the area and is resized to the full size
    by linear interpolation.

    Args:
        modality: the clips, (B, T, H, W, C), zero-padded.
        smallest_area: least share of the area that a crop covers; 1 for none.
        flip: whether half of the clips are mirrored.
        per_frame: whether every frame gets a crop and a mirror image of its
            own, as MSAF's RAVDESS code does. By default a clip stays whole.

    Call arguments:
        inputs: modality to array.
        seed: number or generator.

    Returns:
        The inputs with changed clips, or as they are without this modality:
        a network of another modality does not get it.

    Raises:
        ValueError: if `smallest_area` is not in (0, 1].

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.clips import AugmentClips

    clips = {"video": np.ones((2, 4, 8, 8, 3), "float32")}
    assert AugmentClips("video", flip=True)(clips)["video"].shape[2] == 8
    ```
    """

    modality: str
    smallest_area: float = 0.8
    flip: bool = False
    per_frame: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.smallest_area <= 1:
            raise ValueError(
                "`smallest_area` must be above 0 and at most 1. Received: "
                f"smallest_area={self.smallest_area}"
            )

    def __call__(
        self,
        inputs: Mapping[str, Floats],
        seed: int | np.random.Generator = 0,
    ) -> dict[str, Floats]:
        if self.modality not in inputs:
            return dict(inputs)
        random = np.random.default_rng(seed)
        clips = inputs[self.modality].copy()
        for clip in clips:
            parts = clip[:, None] if self.per_frame else clip[None]
            for part in parts:
                part[...] = self._changed(part, random)
        return {**inputs, self.modality: clips}

    def _changed(self, clip: Floats, random: np.random.Generator) -> Floats:
        side = float(np.sqrt(random.uniform(self.smallest_area, 1)))
        for axis in (1, 2):
            longest = clip.shape[axis] - 1
            first = random.uniform(0, (1 - side) * longest)
            places = np.linspace(
                first, first + side * longest, clip.shape[axis]
            )
            moved = np.moveaxis(clip, axis, 0)[None]
            moved = interpolate(moved, places[None])[0]
            clip = np.moveaxis(moved, 0, axis)
        if self.flip and random.random() < 0.5:
            clip = clip[:, :, ::-1]
        return clip


@dataclass(frozen=True)
class CropTime:
    """Random spans of sequences, stretched to their length by repetition.

    The same span of every modality, relative to its valid length; a
    transform for batches.

    Args:
        modalities: names of sequences (B, T, ...), zero-padded.
        shortest: least share of the valid steps that a span covers.

    Call arguments:
        inputs: modality to array.
        seed: number or generator.

    Returns:
        The inputs with changed sequences; lengths stay. Modalities that a
        network does not get are passed over.

    Raises:
        ValueError: if `shortest` is not in (0, 1].

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.clips import CropTime

    x = {"video": np.ones((2, 9, 3), "float32")}
    assert CropTime(["video"], 0.5)(x)["video"].shape == (2, 9, 3)
    ```
    """

    modalities: Sequence[str]
    shortest: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.shortest <= 1:
            raise ValueError(
                "`shortest` must be above 0 and at most 1. Received: "
                f"shortest={self.shortest}"
            )

    def __call__(
        self,
        inputs: Mapping[str, Floats],
        seed: int | np.random.Generator = 0,
    ) -> dict[str, Floats]:
        random = np.random.default_rng(seed)
        result = dict(inputs)
        samples = len(next(iter(inputs.values())))
        share = random.uniform(self.shortest, 1, samples)
        start = random.uniform(0, 1 - share)
        for name in (m for m in self.modalities if m in inputs):
            values = inputs[name].copy()
            for sample, first, part in zip(values, start, share, strict=True):
                axes = tuple(range(1, sample.ndim))
                valid = np.flatnonzero(sample.any(axis=axes))
                last = int(valid[-1]) if len(valid) else 0
                places = np.linspace(
                    first * last, (first + part) * last, last + 1
                )
                sample[: last + 1] = sample[places.round().astype(int)]
            result[name] = values
        return result


@dataclass(frozen=True)
class CenterSkeletons:
    """Moves every frame so that a joint of the first person is the origin.

    For `keras_mmfusion.data.mapped`: a function of one sequence. Persons that
    are not there, all zeros, stay zeros, in frames without the first person
    as well.

    Args:
        joint: number of the joint, such as 1, the middle of the spine, in
            NTU RGB+D.

    Call arguments:
        skeletons: positions (T, persons, joints, 3).

    Returns:
        Array of the same shape.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.clips import CenterSkeletons

    bodies = np.ones((4, 2, 25, 3), "float32")
    assert not CenterSkeletons(1)(bodies).any()
    ```
    """

    joint: int

    def __call__(self, skeletons: Floats) -> Floats:
        present = skeletons.any(axis=(2, 3), keepdims=True)
        center = skeletons[:, :1, self.joint : self.joint + 1]
        return np.where(present, skeletons - center, 0).astype(np.float32)


@dataclass(frozen=True)
class InTurn:
    """Transforms of batches, one after the other.

    Args:
        transforms: functions of the inputs and a generator.

    Example:

    ```python
    from keras_mmfusion.data.clips import AugmentClips, CropTime, InTurn

    transform = InTurn([CropTime(["video"]), AugmentClips("video")])
    ```
    """

    transforms: Sequence["AugmentClips | CropTime"]

    def __call__(
        self,
        inputs: Mapping[str, Floats],
        seed: int | np.random.Generator = 0,
    ) -> dict[str, Floats]:
        random = np.random.default_rng(seed)
        for transform in self.transforms:
            inputs = transform(inputs, random)
        return dict(inputs)
