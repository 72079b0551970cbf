"""The 121 label pairs and what each published protocol makes of them."""

import json
from pathlib import Path

import numpy as np

_FILE = Path(__file__).parent.parent / "goldens" / "metrics.json"
_STORED = json.loads(_FILE.read_text())["metrics"]

Y = np.array(_STORED["y_true"])
P = np.array(_STORED["y_pred"])
EXPECTED = _STORED["expected"]


def noisy_sentiment(samples=500, seed=0, zeros=0.2):
    """Labels in thirds with exact zeros, and predictions with some."""
    random = np.random.default_rng(seed)
    y = np.round(random.uniform(-3, 3, samples) * 3) / 3
    y[random.random(samples) < zeros] = 0.0
    p = 0.8 * y + random.normal(0, 0.8, samples)
    p[random.random(samples) < 0.05] = 0.0
    return y, p
