"""A file in the layout of AVLetters, with simulated content."""

import numpy as np


def simulated(path, speakers=4, letters=3, seed=0):
    """Mouths open and voices sound along an axis that the letter chooses."""
    random = np.random.default_rng(seed)
    lips, mfcc, rows = [], [], []
    for speaker in range(speakers):
        for letter in range(letters):
            for repetition in (1, 2, 3):
                steps = int(random.integers(12, 20))
                wave = np.sin(np.linspace(0, 6, steps))
                x = np.full((steps, 30, 40), 100.0) + 5 * speaker
                x[:, 8 * letter : 8 * letter + 6, 8:32] += (
                    60 * wave[:, None, None]
                )
                x += random.normal(0, 2, x.shape)
                lips.append(np.clip(x, 0, 255).astype(np.uint8))
                y = random.normal(0, 0.1, (2 * steps - 1, 26))
                y[:, 2 * letter] += 2 * np.sin(np.linspace(0, 6, len(y)))
                mfcc.append(y.astype(np.float32))
                rows.append((letter, repetition, speaker))
    letter, repetition, speaker = np.array(rows, np.uint8).T
    np.savez(
        path,
        lips=np.concatenate(lips),
        lips_offsets=np.cumsum([0, *map(len, lips)]).astype(np.int32),
        mfcc=np.concatenate(mfcc),
        mfcc_offsets=np.cumsum([0, *map(len, mfcc)]).astype(np.int32),
        letter=letter,
        repetition=repetition,
        speaker=speaker,
        name=np.array([f"{a}_{b}_{c}" for a, b, c in rows]),
    )
    return path
