"""Linear models on the inputs of the recipe `msaf_ravdess_av`, as its bar.

    python weights/recipes/linear_ravdess.py --data ravdess_av.npz

In each of the recipe's folds, principal components (150 at most) and a
logistic regression for each modality, whose C is chosen with four groups of
training actors left out in turn; and the sum of their log-probabilities. This
is what was done with simpler inputs to get the bar of 0.713, but for the
values of C: three here, one more on either side there.
"""

import argparse
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_mmfusion.data.ravdess_av import read_ravdess_av

STRENGTHS = [1e-3, 1e-2, 1e-1]


def fold_accuracy(path: str, test: list[int]) -> dict[str, float]:
    """Accuracy on the test actors by modality and of both."""
    data = read_ravdess_av(path, test, [])
    train, y = data.train.arrays()
    tested, truth = data.test.arrays()
    total: Any = 0.0
    found = {}
    for name, x in train.items():
        model = GridSearchCV(
            make_pipeline(
                StandardScaler(),
                PCA(min(150, x.shape[1], len(x) // 2), random_state=0),
                LogisticRegression(max_iter=1500),
            ),
            {"logisticregression__C": STRENGTHS},
            cv=GroupKFold(4),
        ).fit(x, y, groups=data.train.groups["actor"])
        p = model.predict_log_proba(tested[name])
        found[name] = float((p.argmax(axis=1) == truth).mean())
        total = total + p
    found["late fusion"] = float((total.argmax(axis=1) == truth).mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="ravdess_av.npz")
    path = parser.parse_args().data
    folds = [
        fold_accuracy(path, list(range(first, first + 4)))
        for first in range(1, 25, 4)
    ]
    for name in folds[0]:
        values = [fold[name] for fold in folds]
        print(f"{name:12} {np.mean(values):.4f}  folds {np.round(values, 3)}")


if __name__ == "__main__":
    main()
