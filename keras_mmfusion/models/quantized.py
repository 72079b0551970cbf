"""What cannot be kept in a file: that layers were quantized."""

import keras


def refuse_quantized(model: keras.Model) -> None:
    """Raises if a layer of the model is quantized.

    A file makes the model of its arguments, and so without the variables
    that quantizing adds: it could not be loaded.

    Raises:
        ValueError: If there is one; says how to keep the weights.
    """
    quantized = {
        layer.path: layer.dtype_policy.quantization_mode
        for layer in model._flatten_layers()
        if layer.dtype_policy.quantization_mode
    }
    if quantized:
        path, mode = next(iter(quantized.items()))
        raise ValueError(
            "A .keras file or preset keeps the arguments of a model, and they "
            "do not say that layers are quantized. Received: a "
            f"{type(model).__name__} with {len(quantized)} quantized layers, "
            f"such as '{path}' ({mode}). Save it before `quantize`; or call "
            "`save_weights(path)`, and `load_weights(path)` on a model of the "
            "same arguments behind the same `quantize`."
        )
