"""What cannot be kept in a file: that layers were quantized, or have LoRA."""

import warnings

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


def lora_layers(model: keras.Model) -> list[str]:
    """Paths of layers that `enable_lora` was called on."""
    return [
        layer.path
        for layer in model._flatten_layers()
        if getattr(layer, "lora_enabled", False)
    ]


def warn_of_lora(model: keras.Model) -> None:
    """Says that a file has LoRA's weights merged, and no LoRA."""
    layers = lora_layers(model)
    if layers:
        warnings.warn(
            f"LoRA of {len(layers)} layers, such as '{layers[0]}', is merged "
            "into the weights of the file. The model that it gives predicts "
            "the same, but trains all its weights: to go on with LoRA, call "
            "`enable_lora` on its layers, and compile it again.",
            UserWarning,
            stacklevel=2,
        )


def refuse_lora(model: keras.Model) -> None:
    """Raises if layers have LoRA, which presets do not.

    Raises:
        ValueError: If so; says how to merge it.
    """
    layers = lora_layers(model)
    if layers:
        raise ValueError(
            "A preset has no place for LoRA. Received: a "
            f"{type(model).__name__} with LoRA in {len(layers)} layers, such "
            f"as '{layers[0]}'. Merge it: call `save_weights(path)`, and "
            "`load_weights(path)` on a model of the same arguments without "
            "LoRA, and save that."
        )
