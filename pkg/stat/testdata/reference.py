"""Makes samples.csv (labelled scores), sklearn.json (what scikit-learn, scipy and
statsmodels say of them) and scipy.json (what scipy says of bootstrap resamples
and of binned rows), which the tests of pkg/stat compare with.

    pip install scikit-learn==1.9.1 scipy==1.17.1 statsmodels==0.15.0
    python reference.py
"""

import csv
import json
import warnings

import numpy as np
import statsmodels.api as sm
from scipy.stats import binomtest, bootstrap, chi2, false_discovery_control, ks_2samp, kstwobign
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
        "recalibration": recalibration(label, score),
    }


def recalibration(label, score):
    """Slope and intercept of the labels on the log odds, or None if no finite ones
    fit best."""
    kept = np.clip(score, 2.0**-52, 1 - 2.0**-52)
    odds = np.log(kept / (1 - kept))
    positive, negative = odds[label == 1], odds[label == 0]
    if positive.min() >= negative.max() or negative.min() >= positive.max():
        return None
    fit = sm.Logit(label, sm.add_constant(odds, has_constant="add")).fit(method="newton", tol=1e-14, maxiter=200, disp=False)
    intercept, slope = map(float, fit.params)
    return [slope, intercept]


def mcnemar_exact(label, a, b):
    right_a, right_b = (a >= 0.5) == label, (b >= 0.5) == label
    only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a))
    p = mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue if only_a + only_b else 1.0
    if only_a + only_b:
        assert abs(p - binomtest(only_a, only_a + only_b).pvalue) < 1e-12
    return {"only_a": only_a, "only_b": only_b, "p": float(p)}


class PCG:
    """math/rand/v2's PCG-DXSM, to draw the rows that stat.Draw draws."""

    def __init__(self, seed, stream):
        self.state = seed << 64 | stream

    def uint64(self):
        self.state = (self.state * (2549297995355413924 << 64 | 4865540595714422341)
                      + (6364136223846793005 << 64 | 1442695040888963407)) % 2**128
        high, low = divmod(self.state, 2**64)
        high ^= high >> 32
        high = high * 0xDA942042E4DD58B5 % 2**64
        high ^= high >> 48
        return high * (low | 1) % 2**64


def drawn(label, seed, replicate):
    """The rows of a replicate: n of n with replacement, both classes among them."""
    pcg, n = PCG(seed, replicate), len(label)
    while True:
        rows = np.array([pcg.uint64() * n >> 64 for _ in range(n)])
        if 0 < label[rows].sum() < n:
            return rows


class Given(np.random.Generator):
    """Resamples that are given, in the place of random ones."""

    def __init__(self, rows):
        super().__init__(np.random.PCG64(0))
        self.rows = rows

    def integers(self, low, high=None, size=None, **_):
        assert size == self.rows.shape and (high or low) == self.rows.shape[1]
        return self.rows


def resampled(label, a, b, seed, replicates):
    """scipy's percentile intervals and standard errors of the metrics of a, of b,
    and of their paired differences."""
    rows = np.array([drawn(label, seed, r) for r in range(replicates)])

    def both(label, a, b):
        x, y = judged(label, a)["metrics"], judged(label, b)["metrics"]
        return np.array([list(x.values()), list(y.values()), [x[m] - y[m] for m in x]])

    result = bootstrap((label, a, b), both, paired=True, vectorized=False, n_resamples=replicates, batch=replicates,
                       confidence_level=0.95, method="percentile", rng=Given(rows))
    interval = result.confidence_interval
    return {
        what: {"low": interval.low[i].tolist(), "high": interval.high[i].tolist(), "error": result.standard_error[i].tolist()}
        for i, what in enumerate(["a", "b", "difference"])
    }


# Rows by bin of two samples.
BINNED = {
    "alike": ([120, 80, 60, 40, 100], [130, 75, 66, 38, 91]),
    "moved": ([300, 250, 200, 150, 100], [200, 220, 210, 180, 190]),
    "many and few": ([7000, 5000, 3000, 1000], [150, 90, 70, 10]),
    "empty in one": ([50, 40, 0, 60], [45, 50, 12, 43]),
    "same": ([10, 20, 30], [10, 20, 30]),
    "far apart": ([500, 100, 0, 0], [0, 0, 100, 500]),
    "fine": ([7, 9, 11, 13, 15, 17, 15, 13, 11, 9, 7, 9, 14, 21, 8, 12], [9, 8, 14, 11, 19, 12, 16, 10, 15, 8, 9, 6, 17, 18, 11, 7]),
}


def compared(expected, actual):
    expected, actual = np.array(expected), np.array(actual)
    bins = np.arange(len(expected))
    test = ks_2samp(np.repeat(bins, expected), np.repeat(bins, actual), method="asymp")
    n, m = expected.sum(), actual.sum()
    added = 0 if (expected * actual).all() else 0.5
    e, a = (rows + added for rows in (expected, actual))
    e, a = e / e.sum(), a / a.sum()
    psi = np.sum((a - e) * np.log(a / e))
    return {
        "expected": expected.tolist(), "actual": actual.tolist(),
        "psi": psi, "psi_p": chi2.sf(psi / (1 / n + 1 / m), len(bins) - 1),
        "ks": test.statistic, "ks_p": kstwobign.sf(np.sqrt(n * m / (n + m)) * test.statistic), "ks_2samp_p": test.pvalue,
    }


P_VALUES = [
    [0.01, 0.04, 0.03, 0.005, 0.5],
    # Benjamini and Hochberg (1995), section 4: 15 endpoints of a trial.
    [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0],
    [0.2, 0.2, 1.0, 0.0, 0.7, 0.2],
    [0.3],
]


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
    beyond = {
        "bootstrap": {name: resampled(*CASES[name], 7, 200) for name in ("smooth", "ties", "four rows")},
        "binned": {name: compared(*rows) for name, rows in BINNED.items()},
        "discovery": [{"p": p, "q": false_discovery_control(p).tolist()} for p in P_VALUES],
    }
    with open("scipy.json", "w") as f:
        json.dump(beyond, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
