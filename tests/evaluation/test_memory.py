import gc

import keras
import numpy as np
import pytest

from keras_mmfusion.evaluation.memory import traces_freed


def trained():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    model.fit(np.ones((4, 3)), np.zeros(4), verbose=0)
    return model


@pytest.mark.once("tensorflow")
def test_graphs_of_models_that_are_gone_are_freed():
    def graphs():
        gc.collect()
        return sum(type(o).__name__ == "FuncGraph" for o in gc.get_objects())

    trained()
    before = graphs()
    trained()
    assert graphs() > before  # TensorFlow keeps them.
    before = graphs()
    with traces_freed():
        trained()
    assert graphs() == before


def test_a_model_from_outside_still_trains():
    with traces_freed():
        model = trained()
    first = model.evaluate(np.ones((4, 3)), np.zeros(4), verbose=0)
    model.fit(np.ones((2, 3)), np.zeros(2), verbose=0)
    assert model.evaluate(np.ones((4, 3)), np.zeros(4), verbose=0) < first
