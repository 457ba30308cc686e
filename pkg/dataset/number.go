package dataset

import (
	"fmt"
	"math"
	"strconv"
)

// ParseNumber reads a decimal number: an optional sign, digits with an optional
// point, an optional exponent of one to three digits. It takes no more than
// that (no hexadecimal, no infinity, no underscores), so that every reader of
// the data, in whatever language, takes the same.
func ParseNumber(s string) (float64, error) {
	if !isNumber(s) {
		return 0, fmt.Errorf("is not a number")
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, fmt.Errorf("is not a finite number")
	}
	return v, nil
}

// isNumber matches ^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$.
func isNumber(s string) bool {
	s = skipSign(s)
	s, whole := skipDigits(s)
	fraction := 0
	if s != "" && s[0] == '.' {
		s, fraction = skipDigits(s[1:])
	}
	if whole+fraction == 0 {
		return false
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		rest, digits := skipDigits(skipSign(s[1:]))
		return rest == "" && digits >= 1 && digits <= 3
	}
	return s == ""
}

func skipSign(s string) string {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return s[1:]
	}
	return s
}

func skipDigits(s string) (string, int) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[n:], n
}
