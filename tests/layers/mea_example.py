"""Small sequences with padding and a missing modality, and weights."""

import numpy as np

from tests.reference.mea_weights import Config, random_weights

NAMES = ("text", "audio", "video")
CONFIG = Config(
    input_widths=(7, 5, 3),
    kernel_sizes=(3, 3, 5),
    width=8,
    latent=6,
    heads=2,
    mix=0.4,
)
WEIGHTS = random_weights(CONFIG)
LENGTHS = {"text": (4, 5, 1, 3), "audio": (7, 0, 5, 7), "video": (3, 0, 6, 0)}
MASKS = {
    m: np.arange(max(n)) < np.array(n)[:, None] for m, n in LENGTHS.items()
}


def sequences(width=8, seed=0):
    """Float32 (4, T_m, width), zero at padded steps, by modality."""
    rng = np.random.default_rng(seed)
    return {
        m: (rng.normal(size=(*mask.shape, width)) * mask[..., None]).astype(
            "float32"
        )
        for m, mask in MASKS.items()
    }


def longer(values, more=3):
    """Sequences or masks with more padding."""
    return {
        m: np.pad(v, [(0, 0), (0, more)] + [(0, 0)] * (v.ndim - 2))
        for m, v in values.items()
    }
