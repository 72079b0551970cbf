"""The unimodal networks inside a fused one, to train them first."""

import keras

from keras_mmfusion.layers import PaddingMask
from keras_mmfusion.models.arguments import output_size
from keras_mmfusion.models.msaf import MSAF
from keras_mmfusion.models.msaf_graph import Head, as_vector


def unimodal(model: MSAF, modality: str) -> keras.Model:
    """The encoder of one modality with a head of its own, without fusion.

    The layers are those of the fused model, not copies: training one trains
    the other. With `combine="sum"` and "none" the head is that of the
    modality; with "concat", where there is none, a new one.

    Args:
        model: A fused model.
        modality: Name of the modality.

    Returns:
        A Keras model from `{modality: input}` to logits or values, compiled
        with the default loss and metric of `model` and Adam.

    Raises:
        ValueError: If the model is no `MSAF` or has no such modality.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    model = mmf.models.MSAF.from_shapes(
        {"audio": (None, 40), "image": (4,)}, num_classes=10, units=16
    )
    audio = mmf.models.unimodal(model, "audio")
    x = np.random.normal(size=(8, 30, 40)).astype("float32")
    audio.fit({"audio": x}, np.arange(8), verbose=0)
    ```
    """
    if not isinstance(model, MSAF):
        raise ValueError(
            "Expected an MSAF, whose encoders give what a head reads. "
            f"Received: {type(model).__name__}"
        )
    if modality not in model.encoders:
        raise ValueError(
            f"Expected `modality` among {model.modalities}. "
            f"Received: {modality!r}"
        )
    encoder = model.encoders[modality]
    head = f"head_{modality}"
    if model.combine == "concat":
        size = output_size(model.num_classes, model.num_targets)
        layer = Head(size, name=head)
    else:
        layer = model.get_layer(head)
    mask = PaddingMask(name=f"{modality}_steps")(encoder.input)
    features = as_vector(modality, encoder, encoder.output, mask)
    part = keras.Model(
        {modality: encoder.input}, layer(features), name=modality
    )
    part.compile(
        keras.optimizers.Adam(1e-3),
        model._default_loss(),
        metrics=model._default_metrics(),
    )
    return part


def copy_layers(source: keras.Model, target: keras.Model) -> list[str]:
    """Copies the weights of all layers of one model to those of another.

    Args:
        source: For example a model made by `unimodal` and trained.
        target: For example the fused model that shall begin with its weights.

    Returns:
        Names of the layers that were copied: all of `source` with weights.

    Raises:
        ValueError: If `target` has no layer of a name, or of another shape;
            then nothing is copied.

    Example:

    ```python
    import keras
    import keras_mmfusion as mmf

    def network():
        return mmf.models.MSAF.from_shapes(
            {"audio": (None, 40), "image": (4,)}, num_classes=10, units=8
        )

    trained = mmf.models.unimodal(network(), "image")  # and fit it
    encoder = keras.Model(trained.inputs, trained.layers[-2].output)
    print(mmf.models.copy_layers(encoder, network()))
    # ['image_dense1', 'image_dense2']
    ```
    """
    layers = [layer for layer in source.layers if layer.weights]
    known = {layer.name: layer for layer in target.layers}
    for layer in layers:
        shapes = [tuple(w.shape) for w in layer.weights]
        found = known.get(layer.name)
        there = [tuple(w.shape) for w in found.weights] if found else "none"
        if shapes != there:
            raise ValueError(
                f"Expected a layer '{layer.name}' with weights of the shapes "
                f"{shapes} in the target. Received: {there}"
            )
    for layer in layers:
        known[layer.name].set_weights(layer.get_weights())
    return [layer.name for layer in layers]
