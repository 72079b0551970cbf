"""Trained models in the folder of a run."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_mmfusion.evaluation import files
from keras_mmfusion.evaluation.result import Result
from keras_mmfusion.evaluation.study import built
from keras_mmfusion.evaluation.training import Build
from keras_mmfusion.types import Array


def trained_model(
    build: Build,
    directory: str | os.PathLike[str],
    model: str | None = None,
    seed: int | None = None,
) -> Any:
    """One of the models that a finished run trained.

    Args:
        build: The function that built it.
        directory: The directory of the run.
        model: Its name in the run; default: the first.
        seed: Its seed; default: the best on the validation split.

    Returns:
        A compiled model with the weights of the selected epoch.

    Raises:
        ValueError: If the run has no such model or seed, or the weights do
            not fit what `build` returns.

    Example:

    ```python
    import tempfile

    import numpy as np

    import keras_mmfusion as mmf
    from keras_mmfusion.data import MultimodalDataset, Split
    from keras_mmfusion.evaluation import run, trained_model

    def split(seed):
        x = np.random.default_rng(seed).normal(size=(8, 4, 3))
        y = np.arange(8) % 2
        ids = [f"{seed} {i}" for i in range(8)]
        return Split({"audio": x, "face": -x}, y, ids=ids)

    def build(seed):
        shapes = {"audio": (None, 3), "face": (None, 3)}
        return mmf.models.MSAF.from_shapes(
            shapes, num_classes=2, units=16, seed=seed
        )

    toy = MultimodalDataset(
        split(0), split(1), split(2), "toy", "classification"
    )
    with tempfile.TemporaryDirectory() as folder:
        run({"msaf": build}, toy, folder, seeds=1, fit={"epochs": 1}, verbose=0)
        model = trained_model(build, folder)
    print(model.predict(toy.test.batches(8), verbose=0).shape)  # (8, 2)
    ```
    """
    folder = Path(directory)
    result = Result.load(folder)
    name = model or result.first.name
    if name not in result.models:
        raise ValueError(
            f"Expected `model` among {list(result.models)}. Received: {model!r}"
        )
    chosen = result.models[name]
    if seed is None:
        seed = chosen.best_seed(result.lower)
    path = seed_file(folder, name, chosen.candidate, seed)
    if not path.exists():
        raise ValueError(
            f"Expected `seed` among {[run.seed for run in chosen.runs]}. "
            f"Received: seed={seed}"
        )
    network = built(build, seed)
    set_weights(network, path)
    return network


def encode_weights(weights: list[Array]) -> bytes:
    """Weights in the order of the model as the bytes of an .npz file."""
    arrays = {}
    for index, weight in enumerate(weights):
        array = np.asarray(weight)
        if array.dtype.kind not in "fiub":
            # NumPy stores bfloat16 as raw bytes; float32 holds its values.
            array = array.astype(np.float32)
        arrays[f"{index:05d}"] = array
    return files.encode_arrays(arrays)


def set_weights(model: Any, path: Path, digest: str | None = None) -> None:
    """Loads the weights of a seed; refuses those that were changed."""
    weights = path.with_suffix(".npz")
    data = weights.read_bytes()
    if files.sha256(data) != (digest or files.read_json(path)["weights"]):
        raise ValueError(
            f"{weights} was changed after it was written. Delete it and "
            f"{path.name} to train this seed again in an unsealed run."
        )
    arrays = files.decode_arrays(data, weights)
    try:
        model.set_weights([arrays[key] for key in sorted(arrays)])
    except ValueError as error:
        raise ValueError(
            f"{weights} does not fit what `build` returns: {error}"
        ) from error


def seed_file(folder: Path, name: str, candidate: str, seed: int) -> Path:
    return folder / "trained" / name / candidate / f"seed-{seed}.json"
