"""LightGBM's predictions by its C API: the lightgbm package takes seconds to import and brings nothing more here."""

import ctypes
import importlib.util
import math
from functools import cache
from pathlib import Path
from typing import Any

from modelservice.errors import Refused

_FLOAT64, _NORMAL, _ROW_MAJOR = 1, 0, 1  # C_API_DTYPE_FLOAT64, C_API_PREDICT_NORMAL
_FIRST_TREE, _ALL_TREES = 0, -1
# One thread a prediction: parallel requests are what keeps the CPUs busy.
_PARAMETERS = b"num_threads=1 verbosity=-1"


class Booster:
    """A model that predictions are made from. Safe for concurrent use."""

    def __init__(self, text: bytes) -> None:
        """Load a model's text, which must have been checked: see modeltext and probe."""
        self._library = _library()
        self._handle = ctypes.c_void_p()
        trees = ctypes.c_int()
        status = self._library.LGBM_BoosterLoadModelFromString(text, ctypes.byref(trees), ctypes.byref(self._handle))
        self._check(status)
        self.trees = trees.value

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.LGBM_BoosterFree(self._handle)

    def predict(self, features: Any, rows: int, width: int) -> list[float]:
        """Return the probability of the positive class of each row.

        Features is the address of rows by width numbers of 64 bits, row by row.
        """
        out = (ctypes.c_double * rows)(*([math.nan] * rows))
        length = ctypes.c_int64()
        status = self._library.LGBM_BoosterPredictForMat(
            self._handle,
            features,
            _FLOAT64,
            rows,
            width,
            _ROW_MAJOR,
            _NORMAL,
            _FIRST_TREE,
            _ALL_TREES,
            _PARAMETERS,
            ctypes.byref(length),
            out,
        )
        self._check(status)
        return list(out)

    def _check(self, status: int) -> None:
        if status != 0:
            raise Refused(f"LightGBM: {self._library.LGBM_GetLastError().decode(errors='replace')}")


@cache
def _library() -> ctypes.CDLL:
    """Return the shared library out of the lightgbm package."""
    spec = importlib.util.find_spec("lightgbm")
    if spec is None or not spec.submodule_search_locations:
        raise Refused("the lightgbm package is not installed")
    library = ctypes.CDLL(str(Path(spec.submodule_search_locations[0]) / "lib" / "lib_lightgbm.so"))
    # Without these an address given as a number would be cut to 32 bits.
    number, address = ctypes.c_int, ctypes.c_void_p
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    library.LGBM_BoosterLoadModelFromString.argtypes = [ctypes.c_char_p, address, address]
    library.LGBM_BoosterFree.argtypes = [address]
    library.LGBM_BoosterPredictForMat.argtypes = [address, address, *[number] * 7, ctypes.c_char_p, address, address]
    return library
