package lightgbm

import (
	"strconv"
	"strings"
)

// FeatureNames returns the features' names as they stand in the model text:
// letters, digits and _.-+() are kept, anything else becomes an underscore,
// since LightGBM or readers of its format give other signs a meaning. Names
// that would be equal get a number.
func FeatureNames(names []string) []string {
	out := make([]string, len(names))
	taken := make(map[string]bool, len(names))
	for i, name := range names {
		base := strings.Map(nameRune, name)
		unique := base
		for n := 2; taken[unique] || unique == ""; n++ {
			unique = base + "_" + strconv.Itoa(n)
		}
		taken[unique] = true
		out[i] = unique
	}
	return out
}

func nameRune(r rune) rune {
	if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("_.-+()", r) {
		return r
	}
	return '_'
}
