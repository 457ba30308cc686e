package policy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/policy"
)

const guide = "../../docs/policies.md"

// The guide's table of names is made from the names.
func TestGuideNames(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash(guide))
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| name | type | |\n|---|---|---|\n")
	for _, n := range policy.Names() {
		fmt.Fprintf(&table, "| `%s` | `%s` | %s |\n", n.Name, n.Type, n.Says)
	}
	begin, end := "<!-- names -->\n", "<!-- /names -->\n"
	before, rest, opened := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !opened || !closed {
		t.Fatal("the markers of the table are missing")
	}
	want := before + begin + table.String() + end + after
	if *update {
		if err := os.WriteFile(guide, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Errorf("%s does not list the names: run `go test ./policy -run TestGuide -update`", guide)
	}
}

// Every example of the guide is right, and can be judged by.
func TestGuideExamples(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash(guide))
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	for _, example := range examples {
		document := example[1]
		if strings.HasPrefix(document, "- ") {
			document = rulebook(document + "- name: other\n  holds: true\n")
		}
		p, err := policy.Parse([]byte(document))
		if err != nil {
			t.Errorf("%v:\n%s", err, document)
			continue
		}
		for _, r := range judge(t, p, full()) {
			if strings.Contains(r.GetExplanation(), "cannot be judged") && !strings.Contains(document, "SeniorCitizen") {
				t.Errorf("%s: %s", r.GetName(), r.GetExplanation())
			}
		}
	}
	if len(examples) < 6 {
		t.Errorf("%d examples", len(examples))
	}
}
