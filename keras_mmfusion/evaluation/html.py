"""The report of a run as one HTML page."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_mmfusion.evaluation import html_parts as h
from keras_mmfusion.evaluation.result_text import unit
from keras_mmfusion.evaluation.undefined import all_finite
from keras_mmfusion.metrics import confusion_matrix

if TYPE_CHECKING:
    from keras_mmfusion.evaluation.result import ModelResult, Result

# The page stays below 1 MB: figures of so many models, so much of the JSON.
_DRAWN_MODELS = 6
_SETTINGS_CHARACTERS = 60_000
_COLUMNS = 4
_NO_FIGURES = "Figures need matplotlib: pip install 'keras_mmfusion[plot]'."


def render_page(result: "Result") -> str:
    """A self-contained page: no script, no address, figures inline.

    Args:
        result: The result.

    Returns:
        HTML text.
    """
    body = [
        f"<h1>{h.escape(result.name)}</h1>",
        h.paragraph(_subtitle(result), "quiet"),
        h.paragraph(_summary(result), "lead"),
        _warnings(result),
        h.section("Results", _scores(result), _paired(result)),
        h.section("How it was done", *_protocol(result)),
        h.section("Training", *_figures(_training_figures, result)),
        h.section("Predictions", *_figures(_prediction_figures, result)),
    ]
    if result.robustness:
        body.append(
            h.section(
                "Robustness",
                *_figures(_robustness_figures, result),
                *_robustness_tables(result),
            )
        )
    body += [
        h.section("Seeds", *(_seeds(result, name) for name in result.models)),
        h.section("Data", h.preformatted(result.dataset["text"])),
        h.section("Settings and environment", *_settings(result)),
    ]
    return h.page(result.name, [part for part in body if part])


def _subtitle(result: "Result") -> str:
    environment = result.environment
    backend = environment["backend"]
    return (
        f"Data: {result.dataset['name']}. Test split opened "
        f"{_time(result.times['test opened'])}. "
        f"Keras {environment['keras version']} on {backend} "
        f"{environment[f'{backend} version']}."
    )


def _summary(result: "Result") -> str:
    main, first = result.main, result.first
    seeds = len(first.runs)
    text = (
        f"{first.name}: {main} {first.scores[main]} on "
        f"{len(result.ids)} test samples, over {seeds} "
        f"{'seed' if seeds == 1 else 'seeds'}."
    )
    others = [
        f"{name} {_number(model.scores[main].mean)}"
        for name, model in result.models.items()
        if name != first.name
    ]
    others += [
        f"{name} {floor[main]:.3f}"
        for name, floor in result.floors.items()
        if np.isfinite(floor.get(main, np.nan))
    ]
    return text + (f" For comparison: {', '.join(others)}." if others else "")


def _warnings(result: "Result") -> str:
    if not result.warnings:
        return ""
    items = "".join(f"<li>{h.escape(text)}</li>" for text in result.warnings)
    return f'<div class="warnings"><ul>{items}</ul></div>'


def _time(stamp: str) -> str:
    """Minutes of a stamp such as 2026-01-31T12:00:00+00:00."""
    return f"{stamp[:16].replace('T', ' ')} UTC"


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "undefined"


def _scores(result: "Result") -> str:
    metrics = result.scoring["metrics"]
    rows = []
    for name, model in result.models.items():
        cells = [h.cell(name)]
        for metric in metrics:
            score = model.scores[metric]
            text = _number(score.mean)
            if np.isfinite(score.std):
                text += f" ± {score.std:.3f}"
            cells.append(
                h.cell(text, f"{_number(score.low)} to {_number(score.high)}")
            )
        rows.append(("", cells))
    for name, floor in result.floors.items():
        cells = [h.cell(_number(floor.get(m, np.nan))) for m in metrics]
        rows.append(("floor", [h.cell(name), *cells]))
    caption = (
        "Test split. Mean ± standard deviation over seeds; below, the 95 % "
        f"bootstrap interval of the mean over {unit(result)}. The deviation "
        "shows training, the interval the choice of test samples. Grey: "
        "constant predictions."
    )
    return h.table(["", *map(_words, metrics)], rows, caption)


def _paired(result: "Result") -> str:
    if not result.paired:
        return ""
    rows = [
        (
            "",
            [
                h.cell(f"{name} minus {reference}"),
                h.cell(
                    f"{test.difference:+.3f}",
                    f"{test.low:+.3f} to {test.high:+.3f}",
                ),
                h.cell(f"{test.p_value:.3g}"),
                h.cell(str(test.units)),
                h.cell(test.test, text=True),
            ],
        )
        for name, reference, test in result.paired
    ]
    caption = (
        f"Paired tests of {result.main} on the same test samples, seeds "
        "averaged, with 95 % intervals of the difference."
    )
    head = ["", "difference", "p", "units", "test"]
    return h.table(head, rows, caption, text_columns=[4])


def _protocol(result: "Result") -> Iterator[str]:
    choices = result.choices
    fit = choices["fit"]
    seeds = ", ".join(map(str, choices["seeds"]))
    least = "lowest" if result.lower else "highest"
    yield h.paragraph(
        f"Each model was trained with the seeds {seeds}, for at most "
        f"{fit['epochs']} epochs in batches of {fit['batch_size']}. The "
        f"epoch with the {least} {choices['select']} was kept. All choices "
        f"were sealed at {_time(result.times['sealed'])}; "
        "only then was the test split read, once for all models. The "
        f"protocol of the metrics is “{result.scoring['protocol']}”."
    )
    for name, model in result.models.items():
        if len(model.candidates) > 1:
            yield _candidates(result, name, model)


def _candidates(result: "Result", name: str, model: "ModelResult") -> str:
    rows = []
    for candidate, values in model.candidates.items():
        mark = "chosen" if candidate == model.candidate else ""
        std = float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
        text = _number(float(np.mean(values)), 4)
        text += f" ± {std:.4f}" if np.isfinite(std) else ""
        rows.append(
            ("", [h.cell(candidate), h.cell(text), h.cell(mark, text=True)])
        )
    caption = f"Candidates of {name}, compared on the validation split."
    head = ["", result.choices["select"], ""]
    return h.table(head, rows, caption)


Figures = Iterator[tuple[str, Any]]


def _figures(
    make: Callable[["Result"], Figures], result: "Result"
) -> list[str]:
    """Figures with headings, the first model open; or why there are none."""
    try:
        drawn = _drawn(make, result)
    except ImportError:
        return [h.paragraph(_NO_FIGURES, "quiet")]
    parts = [f"<h3>{h.escape(title)}</h3>\n{svg}" for title, svg in drawn[:1]]
    return parts + [h.details(title, svg) for title, svg in drawn[1:]]


def _drawn(
    make: Callable[["Result"], Figures], result: "Result"
) -> list[tuple[str, str]]:
    import matplotlib

    # Names of classes and modalities are no formulas.
    with matplotlib.rc_context({"text.parse_math": False}):
        return [
            (title, h.figure(figure, f"{make.__name__[1:]}{index}", title))
            for index, (title, figure) in enumerate(make(result))
        ]


def _training_figures(result: "Result") -> Figures:
    from keras_mmfusion.plotting.curves import plot_training_curves

    for name, model in [*result.models.items()][:_DRAWN_MODELS]:
        if not model.runs[0].history:
            continue  # A sum of others, which was not trained itself.
        yield (
            name,
            plot_training_curves(
                [run.history for run in model.runs],
                [run.epoch for run in model.runs],
            ),
        )


def _prediction_figures(result: "Result") -> Figures:
    from keras_mmfusion.plotting.confusion import plot_confusion, plot_scatter

    for name, model in [*result.models.items()][:_DRAWN_MODELS]:
        # Seeds that failed have no classes and no values to draw.
        whole = [all_finite(one) for one in model.predictions]
        p = model.predictions[whole]
        if not len(p):
            continue
        seeds = "all seeds" if all(whole) else f"{len(p)} finite seeds"
        if result.task == "classification" and p.ndim == 3 and p.shape[2] > 1:
            counts = sum(confusion_matrix(result.labels, one) for one in p)
            names = result.dataset["class_names"]
            title = f"{name}: confusion, {seeds} together"
            yield title, plot_confusion(counts, names)
        elif result.task == "regression":
            mean = p.mean(axis=0).reshape(len(result.labels), -1)
            truth = result.labels.reshape(len(mean), -1)
            titles = result.dataset["class_names"] or [""] * truth.shape[1]
            for k in range(min(truth.shape[1], _COLUMNS)):
                label = f"{name} {titles[k]}".strip()
                title = f"{label}: mean of the seeds over the truth"
                yield title, plot_scatter(truth[:, k], mean[:, k])


def _robustness_figures(result: "Result") -> Figures:
    from keras_mmfusion.plotting.robustness import plot_robustness

    for name, curves in result.robustness.items():
        yield name, plot_robustness(curves)


def _robustness_tables(result: "Result") -> Iterator[str]:
    for name, curves in result.robustness.items():
        rows = [
            (
                "",
                [
                    h.cell(c.corruption),
                    h.cell(c.modality, text=True),
                    h.cell(f"{c.severities[-1]:g}"),
                    h.cell(_number(c.mean[-1])),
                    h.cell(_number(c.area)),
                ],
            )
            for c in curves.curves
        ]
        caption = (
            f"{name}: {curves.metric} {curves.clean:.3f} on clean data "
            f"({curves.samples} samples); the area under a curve is the mean "
            f"score over its severities, {curves.repeats} draws each."
        )
        head = ["corruption", "modality", "up to", "score there", "area"]
        yield h.table(head, rows, caption, text_columns=[1])


def _seeds(result: "Result", name: str) -> str:
    model = result.models[name]
    metrics = result.scoring["metrics"]
    rows = [
        (
            "",
            [
                h.cell(str(run.seed)),
                h.cell(str(run.epoch)),
                h.cell(_number(run.value, 4)),
                *(h.cell(_number(run.test[metric])) for metric in metrics),
                h.cell(f"{run.seconds:.0f} s"),
            ],
        )
        for run in model.runs
    ]
    head = ["seed", "epoch", result.choices["select"]]
    head += [*map(_words, metrics), "training"]
    caption = f"{name}: {model.parameters:,} values in its weights."
    return h.table(head, rows, caption)


def _settings(result: "Result") -> Iterator[str]:
    rows = [
        ("", [h.cell(key), h.cell(str(value), text=True)])
        for key, value in result.environment.items()
    ]
    yield h.table(["", ""], rows)
    text = json.dumps(result.choices, indent=1, ensure_ascii=False)
    if len(text) > _SETTINGS_CHARACTERS:
        text = text[:_SETTINGS_CHARACTERS] + "\n… the rest is in plan.json"
    yield h.details("All choices, as sealed", h.preformatted(text))
