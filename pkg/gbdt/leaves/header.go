package leaves

import (
	"cmp"
	"fmt"
	"strings"
)

// header is what is needed of a model's first block.
type header struct {
	features []string
	sizes    []int // of the trees, in bytes
}

// average_output, of a random forest, is not among them: leaves would average
// the trees but leave out the sigmoid.
var headerKeys = keys("num_class num_tree_per_iteration label_index max_feature_idx objective feature_names monotone_constraints feature_infos tree_sizes")

func parseHeader(block string) (*header, error) {
	fields, err := parseBlock(block, headerKeys)
	if err != nil {
		return nil, err
	}
	err = cmp.Or(want(fields, "num_class", "1"), want(fields, "num_tree_per_iteration", "1"), want(fields, "objective", "binary sigmoid:1"))
	if err != nil {
		return nil, err
	}
	last, err := number(fields, "max_feature_idx", 0, maxFeatures-1)
	if err != nil {
		return nil, err
	}
	h := &header{}
	if h.features, err = list(fields, "feature_names", int(last)+1, parseName); err != nil {
		return nil, err
	}
	h.sizes, err = parseSizes(fields)
	return h, err
}

// parseName takes any name: a feature's place is what counts.
func parseName(word string) (string, error) { return strings.Clone(word), nil }

func parseSizes(fields map[string]string) ([]int, error) {
	n := words(fields["tree_sizes"])
	if n < 1 || n > maxTrees {
		return nil, fmt.Errorf("there are %d tree_sizes, not 1 to %d", n, maxTrees)
	}
	sizes, err := list(fields, "tree_sizes", n, parseInt)
	if err != nil {
		return nil, err
	}
	out := make([]int, n)
	for i, size := range sizes {
		if size < 1 {
			return nil, fmt.Errorf("tree %d has %d bytes", i, size)
		}
		out[i] = int(size)
	}
	return out, nil
}
