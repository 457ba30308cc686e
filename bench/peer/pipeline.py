"""The peer: the same job with pandas, scikit-learn and LGBMClassifier.

Same rows, same split (a hash of the key and the salt), same parameters, early
stopping on the same validation rows. No tracking server, no registry and no
plots: what the Python scripts spend there is left out, in their favour.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import lightgbm
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler

KEY, TARGET = "customerID", "Churn"
NUMERIC = ["tenure", "MonthlyCharges", "TotalCharges"]
TEST, VALIDATION = 0.2, 0.15


@dataclass(frozen=True)
class Metrics:
    auc: float
    accuracy: float
    f1: float


def split_of(key: str, salt: str) -> str:
    """The split of a row, as the dataset spec defines it."""
    digest = hashlib.sha256(salt.encode() + b"\0" + key.encode()).digest()
    u = int.from_bytes(digest[:8], "big") / 2**64
    if u < TEST:
        return "holdout"
    return "validation" if u < TEST + (1 - TEST) * VALIDATION else "train"


def retrain(path: str, salt: str) -> Metrics:
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows[NUMERIC] = rows[NUMERIC].apply(lambda c: pd.to_numeric(c.str.strip().replace("", "0")))
    label = (rows[TARGET] == "Yes").astype(int)
    split = rows[KEY].map(lambda k: split_of(k, salt))
    categorical = [c for c in rows.columns if c not in [*NUMERIC, KEY, TARGET]]
    encode = ColumnTransformer(
        [
            ("one-hot", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categorical),
            ("standard", StandardScaler(), NUMERIC),
        ]
    )
    parts = {name: (rows[split == name], label[split == name]) for name in ("train", "validation", "holdout")}
    train = encode.fit_transform(parts["train"][0])
    model = lightgbm.LGBMClassifier(
        n_estimators=500,
        num_leaves=64,
        learning_rate=0.05,
        min_child_samples=20,
        random_state=42,
        n_jobs=1,
        verbose=-1,
    )
    model.fit(
        train,
        parts["train"][1],
        eval_X=encode.transform(parts["validation"][0]),
        eval_y=parts["validation"][1],
        eval_metric="binary_logloss",
        callbacks=[lightgbm.early_stopping(30, verbose=False)],
    )
    score = model.predict_proba(encode.transform(parts["holdout"][0]))[:, 1]
    truth, guess = parts["holdout"][1], (score > 0.5).astype(int)
    return Metrics(
        float(roc_auc_score(truth, score)), float(accuracy_score(truth, guess)), float(f1_score(truth, guess))
    )


def mean(values: list[Metrics]) -> Metrics:
    return Metrics(*(float(np.mean([getattr(v, f) for v in values])) for f in ("auc", "accuracy", "f1")))
