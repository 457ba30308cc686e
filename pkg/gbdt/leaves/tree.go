package leaves

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// treeKeys are the lines of a tree of numerical splits with constant leaves.
var treeKeys = keys(`Tree num_leaves num_cat split_feature split_gain threshold decision_type left_child right_child
	leaf_value leaf_weight leaf_count internal_value internal_weight internal_count is_linear shrinkage`)

// ofLeaves and ofSplits are lines that no score is made from. LightGBM reads them all
// the same, and ends the process of whoever loads the text if one is too short. In a
// tree of one leaf it leaves them empty.
var (
	ofLeaves = []string{"leaf_weight", "leaf_count"}
	ofSplits = []string{"split_gain", "internal_value", "internal_weight", "internal_count"}
)

// checkTree checks the block of a tree of the given number.
func checkTree(block string, number, features int) error {
	if !strings.HasSuffix(block, blank) {
		return fmt.Errorf("it does not end where the header says")
	}
	fields, err := parseBlock(strings.TrimRight(block, "\n"), treeKeys)
	if err != nil {
		return err
	}
	if err := cmp.Or(want(fields, "Tree", strconv.Itoa(number)), want(fields, "num_cat", "0")); err != nil {
		return err
	}
	if linear, found := fields["is_linear"]; found && linear != "0" {
		return fmt.Errorf("its leaves are linear models, which leaves would pass over")
	}
	return checkNumbers(fields, features)
}

// checkNumbers checks what leaves reads of a tree.
func checkNumbers(fields map[string]string, features int) error {
	leaves, err := number(fields, "num_leaves", 1, maxLeaves)
	if err != nil {
		return err
	}
	if _, err := list(fields, "leaf_value", int(leaves), parseFloat); err != nil {
		return err
	}
	splits := int(leaves) - 1
	if _, err := list(fields, "threshold", splits, parseFloat); err != nil {
		return err
	}
	if _, err := list(fields, "decision_type", splits, parseDecision); err != nil {
		return err
	}
	feature, err := list(fields, "split_feature", splits, parseInt)
	if err != nil {
		return err
	}
	for _, f := range feature {
		if f < 0 || int(f) >= features {
			return fmt.Errorf("split_feature %d is not one of %d features", f, features)
		}
	}
	left, err := list(fields, "left_child", splits, parseInt)
	if err != nil {
		return err
	}
	right, err := list(fields, "right_child", splits, parseInt)
	if err != nil {
		return err
	}
	if splits == 0 {
		return nil
	}
	return cmp.Or(checkLengths(fields, ofLeaves, int(leaves)), checkLengths(fields, ofSplits, splits), checkShape(left, right))
}

// checkLengths returns an error if a field of the keys that is there has not n values.
func checkLengths(fields map[string]string, keys []string, n int) error {
	for _, key := range keys {
		if _, found := fields[key]; !found {
			continue
		}
		if _, err := list(fields, key, n, parseFloat); err != nil {
			return err
		}
	}
	return nil
}

// parseDecision takes the types of a numerical split that has no special value
// or NaN for one, going left or right by default. Where zero stands for a missing
// value, leaves draws its border at another number than LightGBM.
func parseDecision(word string) (struct{}, error) {
	switch word {
	case "0", "2", "8", "10":
		return struct{}{}, nil
	default:
		return struct{}{}, strconv.ErrRange
	}
}

// checkShape refuses children that do not make one binary tree. The children of
// a split are splits behind it or, as ^leaf, leaves; there are as many children
// as splits and leaves without the root, so that each being there once is all
// being there.
func checkShape(left, right []int32) error {
	splits := len(left)
	taken := make([]bool, 2*splits+1) // splits, then leaves
	depth := make([]int, splits)
	for parent := range splits {
		for _, child := range [2]int32{left[parent], right[parent]} {
			at := int(child)
			if child < 0 {
				at = splits + int(^child)
			}
			if at <= parent || at >= len(taken) || child >= 0 && at >= splits {
				return fmt.Errorf("child %d of split %d is out of range", child, parent)
			}
			if taken[at] {
				return fmt.Errorf("child %d has two parents", child)
			}
			taken[at] = true
			if at < splits {
				depth[at] = depth[parent] + 1
				if depth[at] > maxDepth {
					return fmt.Errorf("it is deeper than %d splits", maxDepth)
				}
			}
		}
	}
	return nil
}
