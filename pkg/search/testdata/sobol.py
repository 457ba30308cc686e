"""Writes sobol.json: the first 64 points of scipy's Sobol sequence, unscrambled, in 12 dimensions."""

import json
import pathlib

from scipy.stats import qmc

points = qmc.Sobol(d=12, scramble=False, bits=30).random(64)
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(points.tolist()) + "\n")
