package policy

import "regexp"

// unknownField finds the field that CEL does not know in its message; of other
// unknown names it says itself what may have been meant.
var unknownField = regexp.MustCompile(`undefined field '([^']+)'`)

// suggest returns the field that is nearest to the unknown one in a message of
// CEL's, or nothing if none is near.
func suggest(message string) string {
	m := unknownField.FindStringSubmatch(message)
	if m == nil {
		return ""
	}
	var names []string
	for _, k := range kinds {
		for _, f := range k.fields {
			names = append(names, f.name)
		}
	}
	return nearest(m[1], names)
}

// nearest returns the name with the fewest edits from the given one, or nothing if
// that takes more than a third of it.
func nearest(name string, names []string) string {
	best, least := "", len(name)/3+1
	for _, n := range names {
		if d := edits(name, n); d < least || d == least && best == "" {
			best, least = n, d
		}
	}
	return best
}

// edits returns how many letters are to be put in, taken out or changed to make one
// text the other (Levenshtein's distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
