package leaves

import (
	"fmt"
	"strconv"
	"strings"
)

// Limits of a model.
const (
	maxFeatures = 100_000
	maxTrees    = 100_000
	maxLeaves   = 131_072 // LightGBM's own limit of num_leaves
	maxDepth    = 4096
)

// magic begins a model text; the version follows.
const magic = "tree\nversion="

// blank ends a block: the header, or a tree.
const blank = "\n\n"

// checked is a model text that has passed.
type checked struct {
	body     string // from behind the version to the end of the last tree
	features []string
}

// check returns what predictions are made from, if it is sound. What stands
// behind the trees is for people.
func check(text string) (*checked, error) {
	body, err := afterVersion(text)
	if err != nil {
		return nil, err
	}
	head, trees, found := strings.Cut(body, blank)
	if !found {
		return nil, fmt.Errorf("its header does not end")
	}
	h, err := parseHeader(head)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	for i, size := range h.sizes {
		if size > len(trees) {
			return nil, fmt.Errorf("tree %d ends before the %d bytes that the header says", i, size)
		}
		if err := checkTree(trees[:size], i, len(h.features)); err != nil {
			return nil, fmt.Errorf("tree %d: %w", i, err)
		}
		trees = trees[size:]
	}
	if !strings.HasPrefix(trees, "end of trees\n") {
		return nil, fmt.Errorf("its trees do not end where the header says")
	}
	return &checked{body[:len(body)-len(trees)], h.features}, nil
}

// afterVersion returns what follows the version, if it is one that leaves reads
// rightly.
func afterVersion(text string) (string, error) {
	rest, found := strings.CutPrefix(text, magic)
	if !found {
		return "", fmt.Errorf("it does not begin as LightGBM's text format does")
	}
	version, rest, _ := strings.Cut(rest, "\n")
	if version != "v3" && version != "v4" {
		return "", fmt.Errorf("its version is %.20q, not v3 or v4", version)
	}
	return rest, nil
}

// parseBlock returns the lines key=value of a block. A line of another key, or
// one that is there twice, is an error: leaves would pass over it. So is a sign
// that LightGBM does not write, which leaves might take for white space.
func parseBlock(block string, known map[string]bool) (map[string]string, error) {
	if i := strings.IndexFunc(block, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }); i >= 0 {
		return nil, fmt.Errorf("there is a byte %#02x, which LightGBM does not write", block[i])
	}
	fields := make(map[string]string, len(known))
	for line := range strings.SplitSeq(block, "\n") {
		key, value, found := strings.Cut(line, "=")
		if _, twice := fields[key]; twice || !found || !known[key] {
			return nil, fmt.Errorf("the line %.50q is not expected: only boosted binary classifiers of numerical trees can be scored", line)
		}
		fields[key] = value
	}
	return fields, nil
}

func keys(names string) map[string]bool {
	known := map[string]bool{}
	for _, name := range strings.Fields(names) {
		known[name] = true
	}
	return known
}

// want returns an error unless the field has the value.
func want(fields map[string]string, key, value string) error {
	if got, found := fields[key]; !found || got != value {
		return fmt.Errorf("%s is %.50q, not %q", key, got, value)
	}
	return nil
}

// list reads the n values of a field, with one space between two.
func list[T any](fields map[string]string, key string, n int, parse func(string) (T, error)) ([]T, error) {
	value, found := fields[key]
	if !found {
		return nil, fmt.Errorf("%s is missing", key)
	}
	if got := words(value); got != n {
		return nil, fmt.Errorf("%s has %d values, not %d", key, got, n)
	}
	out := make([]T, 0, n)
	if n == 0 {
		return out, nil
	}
	for word := range strings.SplitSeq(value, " ") {
		v, err := parse(word)
		if err != nil {
			return nil, fmt.Errorf("%s: %.50q is not a number in range", key, word)
		}
		out = append(out, v)
	}
	return out, nil
}

// words returns how many values a field has.
func words(value string) int {
	if value == "" {
		return 0
	}
	return strings.Count(value, " ") + 1
}

func parseInt(word string) (int32, error) {
	v, err := strconv.ParseInt(word, 10, 32)
	return int32(v), err
}

// parseFloat reads a finite number as LightGBM writes it. Go alone would read
// more: hexadecimal digits, underscores, infinities.
func parseFloat(word string) (float64, error) {
	if strings.Trim(word, "+-.0123456789eE") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(word, 64)
}

// number reads a field of one number from low to high.
func number(fields map[string]string, key string, low, high int32) (int32, error) {
	v, err := list(fields, key, 1, parseInt)
	if err != nil {
		return 0, err
	}
	if v[0] < low || v[0] > high {
		return 0, fmt.Errorf("%s is %d, not %d to %d", key, v[0], low, high)
	}
	return v[0], nil
}
