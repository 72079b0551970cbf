"""PyTorch's own export, with any number of samples and steps."""

import keras
import numpy as np
import pytest

from tests.backend import numpy_of, relative_error
from tests.models.export_cases import EXPORTED
from tests.test_every_model import batch

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="PyTorch's own format"
)


@pytest.mark.parametrize("name", EXPORTED)
def test_an_exported_program_takes_any_length(name, tmp_path):
    import torch

    # Sizes of an earlier export in this process would become constants.
    torch.compiler.reset()
    model, path = EXPORTED[name](), tmp_path / "model.pt2"
    size = torch.export.Dim("size", min=1, max=64)
    length = torch.export.Dim("length", min=2, max=1000)
    dynamic = {
        m: {0: size, **({1: length} if None in shape else {})}
        for m, shape in model.sample_shapes.items()
    }
    model.export(path, "torch", verbose=False, dynamic_shapes=dynamic)
    x = {m: v[:3] for m, v in batch(model, steps=11).items()}
    x["left"][0, 5:] = 0
    program = torch.export.load(path).module()
    found = program({m: torch.tensor(v) for m, v in x.items()})
    expected = model.predict(x, verbose=0)
    assert relative_error(numpy_of(found), np.asarray(expected)) < 1e-5
