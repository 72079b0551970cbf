import pytest

from keras_mmfusion.evaluation import lower_is_better

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "name",
    [
        "val_loss",
        "val_mae",
        "val_mean_absolute_error",
        "val_sparse_categorical_crossentropy",
        "val_concordance_loss",
        "mae valence",
    ],
)
def test_losses_and_errors_are_better_if_low(name):
    assert lower_is_better(name)


@pytest.mark.parametrize(
    "name",
    [
        "val_accuracy",
        "val_sparse_categorical_accuracy",
        "val_acc7",
        "top5",
        "val_f1_score",
        "pearson",
        "ccc_mean",
        "val_auc_1",
    ],
)
def test_accuracies_and_correlations_are_better_if_high(name):
    assert not lower_is_better(name)


@pytest.mark.parametrize("name", ["val_quality", "", "glossary"])
def test_other_names_are_not_guessed(name):
    with pytest.raises(ValueError, match="cannot be read off its name"):
        lower_is_better(name)


def test_a_mode_decides_whatever_the_name():
    assert lower_is_better("accuracy", "min")
    assert not lower_is_better("kappa", "max")
    with pytest.raises(ValueError, match="'best'"):
        lower_is_better("accuracy", "best")
