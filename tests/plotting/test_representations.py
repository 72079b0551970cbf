import numpy as np
import pytest

from keras_mmfusion.plotting import plot_representations, principal_plane

pytestmark = pytest.mark.once


def test_the_plane_keeps_the_distances_of_what_lies_on_one():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(9, 2))
    axes = np.linalg.qr(rng.normal(size=(5, 2)))[0]
    found = principal_plane(flat @ axes.T + 7)
    distances = np.linalg.norm(flat[:, None] - flat, axis=2)
    again = np.linalg.norm(found[:, None] - found, axis=2)
    np.testing.assert_allclose(again, distances, atol=1e-12)
    assert found.var(axis=0)[0] >= found.var(axis=0)[1]
    assert principal_plane(np.ones((3, 1))).shape == (3, 2)


def seen(count=6):
    rng = np.random.default_rng(1)
    vectors = {m: rng.normal(size=(count, 4)) for m in ("text", "audio")}
    return {
        "latent": {"exclusive": vectors, "agnostic": vectors},
        "present": {
            "text": np.ones(count, bool),
            "audio": np.arange(count) < 2,
        },
    }


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_every_group_is_drawn_without_the_missing(method):
    if method == "tsne":
        pytest.importorskip("sklearn")
    figure = plot_representations({"before": seen(), "after": seen()}, method)
    assert [a.get_title() for a in figure.axes] == ["before", "after"]
    sizes = [len(c.get_offsets()) for c in figure.axes[1].collections]
    assert sizes == [6, 2, 6, 2]
    labels = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert labels[1] == "audio, exclusive"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="method"):
        plot_representations({"now": seen()}, "umap")
    with pytest.raises(ValueError, match="stage"):
        plot_representations({})
    with pytest.raises(ValueError, match="`latent` and `present`"):
        plot_representations(seen())
    with pytest.raises(ValueError, match="two or more"):
        principal_plane(np.ones((1, 3)))
