package strictyaml_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/strictyaml"
)

func TestDecode(t *testing.T) {
	many := "a: {"
	for i := range 101 {
		many += fmt.Sprintf("f%d: 1, ", i)
	}
	for text, want := range map[string]string{
		"":                       "",
		"a: {x: 1}\nb: [1, 2]\n": "",
		"c: 1":                   "line 1: field c not found",
		"b: [1]\nb: [2]":         `line 2: mapping key "b" already defined`,
		"a: {x: 1, x: 2}":        `mapping key "x" already defined`,
		"b: [1]\n---\nb: [2]":    "there is more than one document",
		"b: one":                 "cannot unmarshal",
		"b: [":                   "did not find expected",
		many + "}":               "line 1: there are 101 fields; no part of a document has more than 100",
	} {
		var v struct {
			A map[string]int
			B []int
		}
		err := strictyaml.Decode([]byte(text), &v)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}
