package main

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func TestSearchFlags(t *testing.T) {
	for name, c := range map[string]struct {
		flags searchFlags
		want  string // of the search, as text
	}{
		"none": {searchFlags{strategy: "random"}, ""},
		"a list and ranges": {searchFlags{strategy: "sobol", trials: 8, minTrials: 6, folds: 5, halving: 2, dimensions: []string{"num-leaves=15,31", "learning_rate=0.01..0.3:log", "lambda_l2=0..5"}},
			`trials: 8 strategy: "sobol" min_trials: 6 folds: 5 halving: 2 dimensions: {parameter: "num_leaves" values: 15 values: 31}
			 dimensions: {parameter: "learning_rate" low: 0.01 high: 0.3 log: true} dimensions: {parameter: "lambda_l2" low: 0 high: 5}`},
		"as many trials as usual": {searchFlags{strategy: "random", dimensions: []string{"num_leaves=7..63"}},
			`trials: 16 strategy: "random" dimensions: {parameter: "num_leaves" low: 7 high: 63}`},
		"a whole grid": {searchFlags{strategy: "grid", dimensions: []string{"num_leaves=7,15,31", "min_data_in_leaf=10,20"}},
			`trials: 6 strategy: "grid" dimensions: {parameter: "num_leaves" values: [7, 15, 31]} dimensions: {parameter: "min_data_in_leaf" values: [10, 20]}`},
	} {
		got, err := c.flags.search()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var want *eventv1.Search
		if c.want != "" {
			want = &eventv1.Search{}
			if err := prototext.Unmarshal([]byte(c.want), want); err != nil {
				t.Fatal(err)
			}
		}
		if !proto.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	for text, say := range map[string]string{
		"leaves":                     "write PARAMETER=VALUE",
		"num_leaves=":                "write PARAMETER=VALUE",
		"num_leaves=many":            `"many" is not a number`,
		"num_leaves=7..":             `"" is not a number`,
		"num_leaves=7,15:log":        ":log is for a range",
		"leaves=7,15":                "is no setting that can vary",
		"num_leaves=63..7":           "a low below its high",
		"learning_rate=0..0.3:log":   "must begin above 0",
		"num_leaves=2.5,3":           "must be a whole number",
		"bagging_fraction=0.5..2000": "must be",
	} {
		_, err := (&searchFlags{strategy: "random", dimensions: []string{text}}).search()
		if err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("--search %s: %v, want %s", text, err, say)
		}
	}
	if _, err := (&searchFlags{trials: 4, strategy: "random"}).search(); err == nil || !strings.Contains(err.Error(), "say what varies") {
		t.Errorf("trials of nothing: %v", err)
	}
}
