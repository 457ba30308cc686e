"""Makes samples.csv (labelled scores) and sklearn.json (what scikit-learn,
scipy and statsmodels say of them), which the tests of pkg/stat compare with.

    pip install scikit-learn==1.9.1 scipy==1.17.1 statsmodels==0.15.0
    python reference.py
"""

import csv
import json
import warnings

import numpy as np
from scipy.stats import binomtest, ks_2samp
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

warnings.filterwarnings("ignore")
rng = np.random.default_rng(20240501)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def case(n, rate, signal, shape):
    """Labels and the scores of two models that share part of their signal."""
    label = (rng.random(n) < rate).astype(int)
    common = signal * label + rng.normal(size=n)
    return label, *(shape(sigmoid(common + noise * rng.normal(size=n) - 1)) for noise in (0.3, 0.8))


CASES = {
    "smooth": case(200, 0.3, 1.5, lambda p: p),
    "ties": case(150, 0.4, 1.0, lambda p: np.round(p, 1)),
    "rare": case(120, 0.05, 2.0, lambda p: p),
    "worse than chance": case(60, 0.5, -1.0, lambda p: p),
    "certain": case(80, 0.4, 2.0, lambda p: np.where(p < 0.2, 0.0, np.where(p > 0.8, 1.0, p))),
    "four rows": (np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]), np.array([0.5, 0.5, 0.5, 0.5])),
    "separated": (np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.6, 0.9]), np.array([0.1, 0.2, 0.2, 0.1, 0.2])),
    "none predicted": (np.array([0, 1, 0, 1, 0, 1]), np.array([0.1, 0.2, 0.2, 0.3, 0.4, 0.45]), np.full(6, 0.25)),
}


def judged(label, score):
    fpr, tpr, _ = roc_curve(label, score, drop_intermediate=False)
    precision, recall, _ = precision_recall_curve(label, score)
    predicted = (score >= 0.5).astype(int)
    tn, fp, fn, tp = confusion_matrix(label, predicted, labels=[0, 1]).ravel()
    low, high = proportion_confint(int(tp + tn), len(label), 0.05, method="wilson")
    rate, mean = calibration_curve(label, score, n_bins=10)
    return {
        "metrics": {
            "auc": roc_auc_score(label, score),
            "accuracy": accuracy_score(label, predicted),
            "f1": f1_score(label, predicted, zero_division=0),
            "precision": precision_score(label, predicted, zero_division=0),
            "recall": recall_score(label, predicted),
            "log_loss": log_loss(label, score),
            "brier": brier_score_loss(label, score),
            "ks": ks_2samp(score[label == 1], score[label == 0]).statistic,
        },
        "average_precision": average_precision_score(label, score),
        "confusion": {"true_positives": int(tp), "false_positives": int(fp),
                      "true_negatives": int(tn), "false_negatives": int(fn)},
        "wilson": [low, high],
        "roc": [list(map(float, p)) for p in zip(fpr, tpr)],
        "pr": [list(map(float, p)) for p in zip(recall[::-1], precision[::-1])],
        "calibration": [list(map(float, p)) for p in zip(mean, rate)],
    }


def mcnemar_exact(label, a, b):
    right_a, right_b = (a >= 0.5) == label, (b >= 0.5) == label
    only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a))
    p = mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue if only_a + only_b else 1.0
    if only_a + only_b:
        assert abs(p - binomtest(only_a, only_a + only_b).pvalue) < 1e-12
    return {"only_a": only_a, "only_b": only_b, "p": float(p)}


def main():
    with open("samples.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["case", "label", "a", "b"])
        for name, (label, a, b) in CASES.items():
            out.writerows([name, int(y), repr(float(p)), repr(float(q))] for y, p, q in zip(label, a, b))
    expected = {
        name: {"a": judged(label, a), "b": judged(label, b), "mcnemar": mcnemar_exact(label.astype(bool), a, b)}
        for name, (label, a, b) in CASES.items()
    }
    with open("sklearn.json", "w") as f:
        json.dump(expected, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
