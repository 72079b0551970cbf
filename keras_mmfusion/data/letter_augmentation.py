"""Random mouths, cameras, voices and speeds for `avletters` inputs."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data import avletters
from keras_mmfusion.data.cosine_waves import cosine_waves
from keras_mmfusion.data.motion import interpolate
from keras_mmfusion.data.padding import Floats, nonzero_spans
from keras_mmfusion.data.varied_speed import random_path, read_along

_KNOTS = 4


class LetterAugmentation:
    """Changes the inputs of `avletters` as other people and cameras would.

    A transform for `Split.batches`. Lips and speech of a clip are cut at both
    ends and run at a speed that varies, together. Lips are shifted, made
    larger or smaller, mirrored, and each wave of the picture gets a gain of
    its own; speech gets a gain for each cepstrum; both get noise. A missing
    modality and padding stay zero.

    Args:
        shift: Largest shift of the mouth, as a share of the picture.
        zoom: Largest share by which its size changes.
        gain: Deviation of the logarithm of the gains.
        noise: Deviation of the noise, in that of the features.
        crop: Largest share cut off at each end.
        warp: Deviation of the logarithm of the speed.

    Call arguments:
        inputs: Modality to array (B, T, C), of which "lips" and "audio" are
            changed.
        seed: number or generator.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import LetterAugmentation
    from keras_mmfusion.data.avletters import lips_input

    clip = np.random.default_rng(0).integers(0, 256, (24, 30, 40))
    x = {"lips": lips_input(clip)[None]}
    print(LetterAugmentation()(x, seed=0)["lips"].shape)  # (1, 24, 144)
    ```
    """

    def __init__(
        self,
        shift: float = 0.04,
        zoom: float = 0.06,
        gain: float = 0.1,
        noise: float = 0.1,
        crop: float = 0.04,
        warp: float = 0.12,
    ) -> None:
        self.shift = shift
        self.zoom = zoom
        self.gain = gain
        self.noise = noise
        self.crop = crop
        self.warp = warp

    def __call__(
        self,
        inputs: Mapping[str, Floats],
        seed: int | np.random.Generator = 0,
    ) -> dict[str, Floats]:
        random = np.random.default_rng(seed)
        result = dict(inputs)
        names = [name for name in ("audio", "lips") if name in inputs]
        if not names:
            return result
        count = len(inputs[names[0]])
        path = random_path(count, _KNOTS, self.crop, self.warp, random)
        for name in names:
            x = inputs[name]
            _, lengths = nonzero_spans(x)
            valid = np.arange(x.shape[1]) < lengths[:, None]
            x = read_along(x, path, lengths)
            change = self._lips if name == "lips" else self._audio
            x = change(x, random)
            x = x + self.noise * random.standard_normal(x.shape, np.float32)
            result[name] = x * valid[..., None]
        return result

    def _lips(self, channels: Floats, random: np.random.Generator) -> Floats:
        x = avletters.lips_waves(channels)
        matrices = []
        for waves, size in zip(avletters.WAVES, avletters.FRAME, strict=True):
            zoom = 1 + random.uniform(-self.zoom, self.zoom, len(x))
            shift = random.uniform(-self.shift, self.shift, len(x))
            matrices.append(_moved(waves, size, zoom, shift))
        down, across = matrices
        # A mirror negates the waves that are not symmetric.
        across[random.random(len(x)) < 0.5, 1::2] *= -1
        x = np.einsum("bij,btjk,blk->btil", down, x, across, optimize=True)
        return avletters.lips_channels(x * self._gains(x, random))

    def _audio(self, channels: Floats, random: np.random.Generator) -> Floats:
        x = channels[..., : avletters.CEPSTRA]
        return avletters.mfcc_channels(x * self._gains(x, random))

    def _gains(self, x: Floats, random: np.random.Generator) -> Floats:
        """A gain for every sample and feature, the same at all steps."""
        shape = (len(x), 1, *x.shape[2:])
        noise = random.standard_normal(shape, np.float32)
        return np.exp(np.float32(self.gain) * noise)


def _moved(
    waves: int,
    size: int,
    zoom: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> Floats:
    """Matrices (B, waves, waves) that zoom about the middle, and shift.

    The picture of the waves is read at other places, its edges held.
    """
    middle = (size - 1) / 2
    place = (np.arange(size) - middle) / zoom[:, None] + middle
    place = np.clip(place + size * shift[:, None], 0, size - 1)
    basis = cosine_waves(waves, size).astype(np.float32)
    pictures = np.broadcast_to(basis.T, (len(zoom), size, waves))
    moved: Floats = basis @ interpolate(pictures, place)
    return moved
