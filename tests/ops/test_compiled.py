"""Loops are compiled in a model's own steps, and nowhere else."""

import keras
import numpy as np
import pytest

from keras_mmfusion.models import MSAF
from keras_mmfusion.ops.compiled import compiled, compiling

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

tensorflow = pytest.mark.once("tensorflow")


def traced_by_xla(shape, dtype="float32", **options):
    """Whether a function of such a tensor is compiled within `compiling`."""
    function = compiled(lambda x: x * 2)

    @tf.function(input_signature=[tf.TensorSpec(shape, dtype)], **options)
    def step(x):
        with compiling():
            return function(x)

    return compiled_functions(step.get_concrete_function().graph) > 0


def compiled_functions(graph):
    return sum(
        f.attr["_XlaMustCompile"].b
        for f in graph.as_graph_def().library.function
    )


@tensorflow
def test_open_batches_are_compiled_and_open_lengths_are_not():
    assert traced_by_xla((None, 4, 3))
    assert not traced_by_xla((2, None, 3))
    assert not traced_by_xla((2, 4, 3), "bfloat16")


@tensorflow
def test_outside_of_steps_nothing_is_compiled():
    function = compiled(lambda x: x * 2)
    step = tf.function(function)
    graph = step.get_concrete_function(tf.ones((2, 4, 3))).graph
    assert compiled_functions(graph) == 0
    with compiling():
        np.testing.assert_array_equal(function(tf.ones((2, 3))), 2)  # Eager.


@tensorflow
def test_deterministic_operations_are_not_compiled():
    tf.config.experimental.enable_op_determinism()
    try:
        assert not traced_by_xla((2, 4, 3))
    finally:
        from tensorflow.python.framework import config

        config.disable_op_determinism()


def model_and_data(length):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    shapes = {"audio": (length, 4), "text": (length, 3)}
    model = MSAF.from_shapes(shapes, units=4, block_channels=2, block_dropout=0)
    x = {m: rng.normal(size=(6, 5, s[-1])) for m, s in shapes.items()}
    x["audio"][2, 3:] = 0
    return model, x, rng.normal(size=(6, 1)).astype("float32")


def watch(model, name, graphs):
    """Adds the graph to `graphs` whenever a step of the model is traced."""
    step = getattr(model, name)

    def watched(*args):
        result = step(*args)
        graphs.append(tf.compat.v1.get_default_graph())
        return result

    setattr(model, name, watched)


@tensorflow
def test_compiled_training_and_prediction_are_those_of_single_operations():
    results, graphs = [], []
    for eager in (False, True):
        model, x, y = model_and_data(None)
        if not eager:
            watch(model, "train_step", graphs)
            watch(model, "predict_step", graphs)
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=eager)
        # Batches of four and of two: the last is smaller.
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        weights = [v.numpy() for v in model.trainable_variables]
        results.append([*weights, model.predict(x, batch_size=4, verbose=0)])
    assert len(graphs) >= 2
    assert all(compiled_functions(graph) for graph in graphs)
    for compiled_value, expected in zip(*results, strict=True):
        np.testing.assert_allclose(
            compiled_value, expected, rtol=1e-4, atol=1e-6
        )


@tensorflow
def test_an_exported_model_needs_no_compiler(tmp_path):
    from tensorflow.core.protobuf import saved_model_pb2

    model, x, y = model_and_data(5)
    model.fit(x, y, verbose=0)
    expected = model.predict(x, verbose=0)
    model.export(tmp_path, verbose=False)
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((tmp_path / "saved_model.pb").read_bytes())
    (graph,) = saved.meta_graphs
    functions = graph.graph_def.library.function
    assert functions
    assert not any(f.attr["_XlaMustCompile"].b for f in functions)
    restored = tf.saved_model.load(tmp_path)
    found = restored.serve({m: v.astype("float32") for m, v in x.items()})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
