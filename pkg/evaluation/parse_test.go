package evaluation

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stat"
)

func measures() map[string]Measure {
	out := map[string]Measure{}
	for m := stat.AUC; m <= stat.KS; m++ {
		out[m.String()] = Measure{Value: 0.5}
	}
	return out
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*Document)
		want string // of the error; empty: none
	}{
		"alone":              {func(*Document) {}, ""},
		"another version":    {func(d *Document) { d.Version = 2 }, "version is 2"},
		"missing metric":     {func(d *Document) { delete(d.Candidate.Metrics, "auc") }, "candidate.metrics has no auc"},
		"no metrics":         {func(d *Document) { d.Candidate.Metrics = nil }, "candidate.metrics"},
		"champion alone":     {func(d *Document) { d.Champion = &Champion{} }, "together"},
		"comparison alone":   {func(d *Document) { d.Comparison = &Comparison{} }, "together"},
		"champion's metrics": {func(d *Document) { d.Champion, d.Comparison = &Champion{}, &Comparison{} }, "champion.metrics"},
		"missing differences": {func(d *Document) {
			d.Champion, d.Comparison = &Champion{Judgement: Judgement{Metrics: measures()}}, &Comparison{}
		}, "comparison.differences"},
	} {
		d := &Document{Version: Version, Candidate: Judgement{Metrics: measures()}}
		c.edit(d)
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(text)
		if c.want == "" {
			if err != nil || got.Candidate.Metrics["auc"].Value != 0.5 {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		} else if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an invalid error with %q", name, err, c.want)
		}
	}
	for _, text := range []string{"", "[]", `{"version": "1"}`, strings.Repeat(" ", MaxDocument+1)} {
		if _, err := Parse([]byte(text)); !churn.IsKind(err, churn.Invalid) {
			t.Errorf("%.20q: %v, want an invalid error", text, err)
		}
	}
}
