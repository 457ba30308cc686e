"""A model's text is checked before LightGBM, which trusts it, sees it."""

import re

import lightgbm
import numpy as np
import pytest

from modelservice import modeltext, probe
from modelservice.booster import Booster
from modelservice.errors import Refused

from .conftest import Encoded

FEATURES = 46


def test_predictions_are_those_of_the_lightgbm_package(encoded: Encoded, model_text: bytes) -> None:
    text = probe.run(model_text, FEATURES)
    want = lightgbm.Booster(model_str=model_text.decode()).predict(encoded.matrix)
    features = np.ascontiguousarray(encoded.matrix)
    got = Booster(text).predict(features.ctypes.data, len(features), FEATURES)
    assert np.max(np.abs(np.array(got) - want)) <= 1e-12


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        (rb"version=v4", b"version=v9"),
        (rb"num_class=1", b"num_class=2"),
        (rb"objective=binary sigmoid:1", b"objective=regression"),
        (rb"max_feature_idx=45", b"max_feature_idx=44"),
        (rb"max_feature_idx=45", b"max_feature_idx=4500000"),
        (rb"is_linear=0", b"is_linear=1"),
        (rb"num_cat=0", b"num_cat=1"),
        (rb"num_cat=0\n", b""),
        (rb"leaf_count=\d+", b"leaf_count=1 1"),
        (rb"internal_weight=\S+", b"internal_weight="),
        (rb"num_leaves=15", b"num_leaves=16"),
        (rb"num_leaves=15", b"num_leaves=99999999999"),
        (rb"split_feature=\d+", b"split_feature=99"),
        (rb"split_feature=\d+", b"split_feature=-1"),
        (rb"left_child=-?\d+", b"left_child=0"),
        (rb"left_child=-?\d+", b"left_child=999"),
        (rb"right_child=-?\d+", b"right_child=-999"),
        (rb"leaf_value=\S+", b"leaf_value=nan"),
        (rb"leaf_value=\S+", b"leaf_value=1e999"),
        (rb"threshold=\S+", b"threshold=nan"),
        (rb"decision_type=\d+", b"decision_type=1"),
        (rb"tree_sizes=\d+", b"tree_sizes=7"),
        (rb"\nend of trees\n", b"\n"),
        (rb"Tree=1\n", b"Tree=2\n"),
        (rb"Tree=0\n", b"Tree=0\n\0"),
    ],
)
def test_a_changed_text_is_refused(model_text: bytes, pattern: bytes, instead: bytes) -> None:
    changed, n = re.subn(pattern, instead.replace(b"\\", b"\\\\"), model_text, count=1)
    assert n == 1
    with pytest.raises(Refused):
        modeltext.check(changed, FEATURES)


def test_a_text_cut_off_anywhere_is_refused(model_text: bytes) -> None:
    for length in range(0, model_text.index(b"\nend of trees\n"), 997):
        with pytest.raises(Refused):
            modeltext.check(model_text[:length], FEATURES)


def test_a_text_of_other_features_is_refused(model_text: bytes) -> None:
    with pytest.raises(Refused, match=r"max_feature_idx is 45"):
        modeltext.check(model_text, 45)
