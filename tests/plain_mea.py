"""The weights of `benchmarks.plain_torch_mea` under the reference's names."""

import re

RULES = [
    (r"^extractors\.(\d)\.", r"extractor.<\1>."),
    (r"lstm\.weight_ih_l0$", "forward.kernel"),
    (r"lstm\.weight_hh_l0$", "forward.recurrent"),
    (r"lstm\.bias_ih_l0$", "forward.bias"),
    (r"^weighting\.(\d)\.hidden\.(\d)\.", r"exclusive.\1.weighting.<\2>."),
    (r"^weighting\.(\d)\.(score)\.(\d)\..*", r"exclusive.\1.weighting.<\3>.\2"),
    (r"^exclusive\.(\d)\.(\d)\.", r"exclusive.\1.<\2>."),
    (r"^agnostic\.(\d)\.(mixed|coarse)\.(\d)\.", r"agnostic.\1.<\3>.\2."),
    (r"^exclusive_encoders\.(\d)\.", r"encoder.exclusive.<\1>."),
    (r"^agnostic_encoder\.", "encoder.agnostic."),
    (r"^(exclusive|agnostic)_graph\.", r"graph.\1."),
    (r"^modality_discriminator\.output", "discriminator.modality.scores"),
    (r"^(modality|importance)_discriminator\.", r"discriminator.\1."),
    (r"\.context\.", ".output."),
    (r"\.feed\.norm\.", ".feed_norm."),
    (r"norm\.weight$", "norm.gain"),
    (r"norm\.bias$", "norm.offset"),
    (r"\.weight$", ".kernel"),
]

# Of biases, matrices, and convolutions over one and two axes.
KERAS_AXES = {1: (0,), 2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0)}


def by_reference_name(module, names):
    """Trainable arrays, laid out as in Keras; `names` are the modalities."""
    found = {}
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        x = parameter.detach().numpy()
        reverse = name.endswith("_reverse")
        # A unit's own number counts the other modalities.
        fine = re.match(r"agnostic\.(\d)\.fine\.(\d)\.(\d)\.", name)
        if fine:
            layer, target, i = map(int, fine.groups())
            others = [n for j, n in enumerate(names) if j != target]
            unit = f"agnostic.{layer}.{names[target]}.fine.{others[i]}."
            name = unit + name[fine.end() :]
        if reverse:
            name = name.removesuffix("_reverse")
        for pattern, replacement in RULES:
            name = re.sub(pattern, replacement, name)
        name = re.sub(r"<(\d)>", lambda m: names[int(m[1])], name)
        if reverse:
            name = name.replace(".forward.", ".backward.")
        found[name] = x.transpose(KERAS_AXES[x.ndim])
    return found
