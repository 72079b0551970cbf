"""Encoders one after the other, as one."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_mmfusion import registry
from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.types import Tensor


@registry.register()
class ChainedEncoder(Encoder):
    """Hands what an encoder gives to the next, such as frames to sequences.

    Args:
        encoders: Two or more `Encoder`s, or their configs (`class_name` and
            `config`). Their names must differ; weights are saved under them.
        name: Name of the encoder; in a fusion model, of the modality.

    Call arguments:
        inputs: What the first encoder takes.

    Returns:
        What the last encoder gives. Stages are called `<encoder>.<stage>`.

    Raises:
        ValueError: If there are fewer than two encoders, or two of one name.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    faces = mmf.encoders.IRResNetEncoder(
        size=8, blocks=[1, 1], widths=[4, 8], features=16, name="faces"
    )
    motion = mmf.encoders.TCNEncoder(16, [8], name="motion")
    encoder = mmf.encoders.ChainedEncoder([faces, motion], name="video")
    print(encoder(np.ones((2, 3, 8, 8, 3), "float32")).shape)  # (2, 3, 8)
    ```
    """

    def __init__(
        self, encoders: Sequence[Any], name: str = "chained_encoder"
    ) -> None:
        parts: list[Any] = [
            registry.from_config(e) if isinstance(e, Mapping) else e
            for e in encoders
        ]
        names = [part.name for part in parts]
        if len(parts) < 2 or len({*names, name}) != len(parts) + 1:
            raise ValueError(
                "A chain has two or more encoders, of different names that "
                f"are not its own. Received: {names} in '{name}'"
            )
        stages = {
            f"{part.name}.{stage}": layer
            for part in parts
            for stage, layer in part.stages.items()
        }
        super().__init__(parts[0].sample_shape, stages, name=name)
        self.encoders = parts
        self.axes = parts[0].axes

    @property
    def causal(self) -> bool:
        """Whether no output sees a later step."""
        return all(getattr(part, "causal", False) for part in self.encoders)

    def initial_state(self, batch_size: int) -> dict[str, Any]:
        """What `stream` knows before the first step."""
        return {
            part.name: part.initial_state(batch_size) for part in self.encoders
        }

    def stream(
        self, x: Tensor, state: Mapping[str, Any], mask: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Any]]:
        """The outputs of the next steps, and the state after them."""
        after = {}
        for part in self.encoders:
            x, after[part.name] = part.stream(x, state[part.name], mask)
        return x, after

    def get_config(self) -> dict[str, Any]:
        return {
            "encoders": [registry.to_config(part) for part in self.encoders],
            "name": self.name,
        }
