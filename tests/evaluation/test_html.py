import builtins
import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.evaluation import Result
from keras_mmfusion.evaluation.html import render_page
from keras_mmfusion.evaluation.html_parts import cell, figure, page, table
from keras_mmfusion.plotting.confusion import plot_scatter
from tests.evaluation.test_result import CURVES

pytestmark = pytest.mark.once
VOID = {"meta", "br", "img", "hr", "link", "input"}


class Checker(HTMLParser):
    """Checks that tags are closed and ids unique; collects references."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.references = [], [], []
        self.texts = []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.read(attributes)

    def handle_startendtag(self, tag, attributes):
        self.read(attributes)

    def read(self, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "action", "data"):
                self.references.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)


def checked(text):
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    assert len(set(checker.ids)) == len(checker.ids)
    for reference in checker.references:
        inside = reference.startswith("#") and reference[1:] in checker.ids
        assert inside or reference.startswith("data:image/png;base64,")
    for used in re.findall(r"url\(#([^)]+)\)", text):
        assert used in checker.ids
    assert not re.search(r"https?://|<script|@import|url\((?!#)", text)
    assert len(text.encode()) < 1_000_000
    return checker


@pytest.fixture(scope="module")
def text(result, folder):
    own = Result.load(folder)
    own.name = "A <b>run</b> & more"
    own.dataset["class_names"] = ["$low", "mid$dle", "$^{$"]
    own.robustness["image"] = CURVES
    return render_page(own)


def test_the_page_needs_nothing_but_itself(text):
    checker = checked(text)
    assert text.count("<svg") == 5
    assert "$^{$" in checker.texts
    assert "A <b>run</b> & more" in checker.texts


def test_the_page_shows_what_was_found(text, result):
    shown = " ".join(" ".join(checked(text).texts).split())
    for name, model in result.models.items():
        score = model.scores["accuracy"]
        assert f"{name} {score.mean:.3f} ± {score.std:.3f}" in shown
        assert f"{score.low:.3f} to {score.high:.3f}" in shown
        for run in model.runs:
            assert f"{run.seed} {run.epoch} {run.value:.4f}" in shown
    test = result.paired[0][2]
    assert f"audio minus image {test.difference:+.3f}" in shown
    for warning in result.warnings:
        assert warning in shown
    assert "slow" in shown
    assert "learning_rate" in shown
    assert "majority class of train" in shown
    assert "keras version" in shown
    assert "recordings" in shown or "recording" in shown
    assert "noise image 1 undefined" in shown


def test_regression_gets_scatters(folder):
    random = np.random.default_rng(0)
    own = Result.load(folder)
    own.task = "regression"
    own.labels = random.normal(size=(48, 2))
    own.dataset["class_names"] = ["valence", "arousal"]
    p = random.normal(size=(2, 48, 2)).astype("float32")
    own.models = {
        name: dataclasses.replace(model, predictions=p)
        for name, model in own.models.items()
    }
    text = render_page(own)
    checked(text)
    assert "image arousal: mean of the seeds over the truth" in text


def test_without_matplotlib_the_page_has_tables(folder, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    text = render_page(Result.load(folder))
    checked(text)
    assert "<svg" not in text
    assert "Figures need matplotlib" in text


def test_text_is_escaped():
    text = page("<x>", [table(["a<b"], [("", [cell("1 & 2", "<i>")])])])
    checked(text)
    assert "1 &amp; 2<small>&lt;i&gt;</small>" in text
    assert "<title>&lt;x&gt;</title>" in text


def test_figures_keep_their_text_and_share_no_ids():
    drawn = plot_scatter([0.0, 1.0], [0.0, 1.0])
    text = figure(drawn, "one", 'a "label"') + figure(drawn, "two", "b")
    checked(text)
    assert ">predicted<" in text
    assert 'aria-label="a &quot;label&quot;"' in text
    assert figure(drawn, "one", "a") == figure(drawn, "one", "a")
    assert "xmlns" not in text


def test_a_long_data_set_description_does_not_break_the_page(result):
    split = Split({"a": np.ones((2, 3))}, labels=[0, 1], ids=["<1>", "2"])
    data = MultimodalDataset(
        split, None, None, "<data>", "classification", origin="a & b"
    )
    own = dataclasses.replace(
        result, dataset={**result.dataset, "text": data.describe()}
    )
    text = render_page(own)
    checked(text)
    assert "&lt;data&gt;" in text
