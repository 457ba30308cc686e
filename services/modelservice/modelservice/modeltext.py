"""Checks of LightGBM's text format that LightGBM itself does not make.

LightGBM trusts its own format: a child index or a feature out of range is read or written out of bounds.
What passes here is a binary classifier of numerical trees whose every index stays in range.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from modelservice.errors import Refused

MAX_SIZE = 256 << 20  # bytes of model.txt
_MAX_TREES = 100_000
_MAX_LEAVES = 131_072  # LightGBM's own limit of num_leaves
_HEADER = b"tree\nversion=v4\n"
_END = b"end of trees\n"
_OBJECTIVE = re.compile(r"binary( sigmoid:[0-9.]+)?")
_PLAIN = re.compile(r"[-+0-9.eE ]*")
# Of each leaf and of each split. No prediction is made from them, and LightGBM ends the process if some are missing.
_OF_LEAVES = ("leaf_weight", "leaf_count")
_OF_SPLITS = ("split_gain", "internal_value", "internal_weight", "internal_count")
_NUMERICAL = 16  # decision types below it, if even: default direction and kind of missing value

_Number = TypeVar("_Number", int, float)


def check(text: bytes, features: int) -> bytes:
    """Return the part of a model's text that predictions are made from, if it is sound.

    Raises Refused unless it takes that many features.
    """
    if len(text) > MAX_SIZE:
        raise Refused(f"the model has more than {MAX_SIZE} bytes")
    if not text.startswith(_HEADER):
        raise Refused("the model does not begin as LightGBM's text format, version v4")
    if b"\r" in text or b"\0" in text:
        raise Refused("the model holds characters that LightGBM never writes")
    start = text.find(b"\nTree=0\n") + 1
    if start == 0:
        raise Refused("the model has no trees")
    sizes = _check_header(_fields(text[:start], "header", words=("tree", "average_output")), features)
    for i, size in enumerate(sizes):
        _check_tree(i, text[start : start + size], features)
        start += size
    if not text.startswith(_END, start):
        raise Refused("the model's trees do not end where its header says")
    return text[: start + len(_END)]


def _check_header(header: dict[str, str], features: int) -> list[int]:
    """Return the sizes of the trees, in bytes."""
    if "Tree" in header:
        raise Refused("the model's first tree is not tree 0")
    for key in ("num_class", "num_tree_per_iteration"):
        if header.get(key) != "1":
            raise Refused(f"the model's {key} is {header.get(key, 'missing')[:20]}, not 1")
    if not _OBJECTIVE.fullmatch(header.get("objective", "")):
        raise Refused(f"the model's objective is {header.get('objective', 'missing')[:50]!r}, not binary")
    if header.get("max_feature_idx") != str(features - 1):
        raise Refused(
            f"the model's max_feature_idx is {header.get('max_feature_idx', 'missing')[:20]}: "
            f"the preprocessor has {features} features"
        )
    for key in ("feature_names", "feature_infos"):
        if len(header.get(key, "").split(" ")) != features:
            raise Refused(f"the model's {key} are not {features}")
    sizes = _numbers(header, "header", "tree_sizes", int)
    if not 1 <= len(sizes) <= _MAX_TREES or min(sizes) < 1:
        raise Refused(f"the model's tree_sizes are not 1 to {_MAX_TREES} sizes")
    return sizes


def _check_tree(number: int, text: bytes, features: int) -> None:
    where = f"tree {number}"
    if not text.startswith(f"Tree={number}\n".encode()):
        raise Refused(f"{where} does not begin where the model's header says")
    tree = _fields(text, where)
    for key, default in (("num_cat", "missing"), ("is_linear", "0")):
        if (value := tree.get(key, default)) != "0":
            raise Refused(f"{where}: {key} is {value[:20]}: only plain numerical trees are served")
    leaves = _numbers(tree, where, "num_leaves", int, 1)[0]
    if not 1 <= leaves <= _MAX_LEAVES:
        raise Refused(f"{where}: num_leaves is {leaves}")
    if not all(map(math.isfinite, _numbers(tree, where, "leaf_value", float, leaves))):
        raise Refused(f"{where}: a leaf_value is not finite")
    if leaves > 1:  # in a tree of one leaf LightGBM leaves them empty
        for keys, count in ((_OF_LEAVES, leaves), (_OF_SPLITS, leaves - 1)):
            for key in keys:
                if key in tree:
                    _numbers(tree, where, key, float, count)
    _check_splits(where, tree, leaves - 1, features)


def _check_splits(where: str, tree: dict[str, str], splits: int, features: int) -> None:
    if not all(0 <= f < features for f in _numbers(tree, where, "split_feature", int, splits)):
        raise Refused(f"{where}: a split_feature is out of range")
    if any(map(math.isnan, _numbers(tree, where, "threshold", float, splits))):
        raise Refused(f"{where}: a threshold is not a number")
    if not all(0 <= d < _NUMERICAL and d % 2 == 0 for d in _numbers(tree, where, "decision_type", int, splits)):
        raise Refused(f"{where}: a decision_type is not that of a numerical split")
    left = _numbers(tree, where, "left_child", int, splits)
    right = _numbers(tree, where, "right_child", int, splits)
    _check_children(where, left, right)


def _check_children(where: str, left: list[int], right: list[int]) -> None:
    """Refuse children that do not form one binary tree.

    A split's children are splits after it, or leaves as ~leaf; each is the child of one split.
    """
    splits = len(left)
    for children in (left, right):
        for parent, child in enumerate(children):
            if not (parent < child < splits or -splits - 1 <= child < 0):
                raise Refused(f"{where}: the child {child} of split {parent} is out of range")
    if len(set(left + right)) != 2 * splits:
        raise Refused(f"{where}: two splits have one child")


def _fields(text: bytes, where: str, words: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the key=value lines of a block. LightGBM ends a block at an empty line."""
    fields: dict[str, str] = {}
    for line in _lines(text, where):
        key, separator, value = line.partition("=")
        if key in fields or (not separator and key not in words):
            raise Refused(f"{where}: the line {line[:50]!r} is not expected")
        fields[key] = value
    return fields


def _lines(text: bytes, where: str) -> Iterator[str]:
    try:
        block = text.decode()
    except UnicodeDecodeError as err:
        raise Refused(f"{where}: it is not UTF-8") from err
    body = block.rstrip("\n")
    if "\n\n" in body:
        raise Refused(f"{where}: it has an empty line")
    return iter(body.split("\n"))


def _numbers(
    fields: dict[str, str], where: str, key: str, kind: Callable[[str], _Number], count: int | None = None
) -> list[_Number]:
    if key not in fields:
        raise Refused(f"{where}: {key} is missing")
    try:
        # Python's int and float read more than LightGBM does, such as 1_0.
        if not _PLAIN.fullmatch(fields[key]):
            raise ValueError
        numbers = [kind(n) for n in fields[key].split(" ") if n]
    except ValueError as err:
        raise Refused(f"{where}: {key} holds something that is not a number") from err
    if count is not None and len(numbers) != count:
        raise Refused(f"{where}: {key} has {len(numbers)} values, not {count}")
    return numbers
