package main

import (
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/search"
	"github.com/asfotec/churn/pkg/soak"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// What can be asked for can be tried: every trial has settings that LightGBM takes.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{
		"num_leaves=15,31,63", "learning_rate=0.01..0.3:log", "learning-rate=1e-300..10:log", "max_bin=2..65535", "lambda_l1=0,1e9",
		"num_leaves=NaN", "num_leaves=2..Inf", "bagging_freq=0..0x1p4", "num_leaves=7\nlambda_l2=0..1", "num_leaves==", "num_leaves=..", "x=1",
	} {
		f.Add(seed, int32(16), uint8(0), int32(0), int32(42))
	}
	f.Add("num_leaves=2,3\nmax_bin=2,3", int32(0), uint8(2), int32(3), int32(-1))
	soak.Fuzz(f, func(t *testing.T, texts string, trials int32, strategy uint8, halving, seed int32) {
		flags := searchFlags{
			dimensions: strings.Split(texts, "\n"), trials: trials % 100, halving: halving,
			strategy: search.Strategies[int(strategy)%len(search.Strategies)],
		}
		s, err := flags.search()
		if err != nil {
			return
		}
		all, err := search.Trials(&eventv1.Plan{Search: s, Training: &eventv1.Training{Seed: seed}})
		if err != nil || len(all) != int(s.GetTrials()) {
			t.Fatalf("%d trials of %v: %v", len(all), s, err)
		}
		for n, trial := range all {
			for _, d := range s.GetDimensions() {
				if n == 0 && s.GetStrategy() != search.Grid {
					continue // the plan's own
				}
				v := valueOf(trial, d.GetParameter())
				low, high := d.GetLow(), d.GetHigh()
				if values := d.GetValues(); len(values) > 0 {
					low, high = values[0], values[0]
					for _, other := range values {
						low, high = min(low, other), max(high, other)
					}
				}
				if !(v >= low && v <= high) {
					t.Fatalf("trial %d has %s %v, out of %v to %v", n, d.GetParameter(), v, low, high)
				}
			}
			if trial.GetSeed() < 0 {
				t.Fatalf("trial %d has seed %d", n, trial.GetSeed())
			}
		}
	})
}

// valueOf returns a setting by its name.
func valueOf(trial *eventv1.Training, name string) float64 {
	m := trial.ProtoReflect()
	switch v := m.Get(m.Descriptor().Fields().ByTextName(name)).Interface().(type) {
	case int32:
		return float64(v)
	case float64:
		return v
	}
	return -1
}
