package dataset_test

import (
	"math"
	"regexp"
	"strconv"
	"testing"

	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/soak"
)

// number is what docs and the other readers of the data say that a number is.
var number = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$`)

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]float64{
		"0": 0, "-0": math.Copysign(0, -1), "29.85": 29.85, "+1": 1, ".5": 0.5, "5.": 5, "1e3": 1000, "1E+03": 1000, "-1.5e-2": -0.015,
		"007": 7, "1e-999": 0, "4.9e-324": 5e-324, "1.7976931348623157e308": math.MaxFloat64, "0.1": 0.1, "9007199254740993": 9007199254740992,
	} {
		got, err := dataset.ParseNumber(text)
		if err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "+", ".", "-.", "e5", "1e", "1e+", "1e1000", "1e999", "-1e999", "1.2.3", "1,5", "1 000", "1_000", "0x10", "0b1", "1p3", "NaN", "nan",
		"Inf", "-Infinity", "--1", "1-", "$1", "1%", "\u0661", "１", "1\n", "\x001",
	} {
		if v, err := dataset.ParseNumber(text); err == nil {
			t.Errorf("%q is %v; want an error", text, v)
		}
	}
}

// What is taken is what strconv makes of it, and all of the form is taken but
// what overflows.
func FuzzParseNumber(f *testing.F) {
	for _, seed := range []string{"0", "-1.5e-2", "1e308", "1e309", ".", "0x1p4", "1_0", "inf", "1e-400", "5."} {
		f.Add(seed)
	}
	soak.Fuzz(f, func(t *testing.T, text string) {
		got, err := dataset.ParseNumber(text)
		want, wantErr := strconv.ParseFloat(text, 64)
		if accepted := number.MatchString(text) && wantErr == nil; accepted != (err == nil) {
			t.Fatalf("%q: %v, %v; strconv says %v, %v", text, got, err, want, wantErr)
		}
		if err == nil && math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%q is %v, want %v", text, got, want)
		}
	})
}
