package search

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// field is a setting that can vary.
type field struct {
	name      protoreflect.Name
	whole     bool
	low, high float64 // LightGBM's limits
	open      bool    // low itself is out of them
}

// fields are the settings that can vary, by LightGBM's names.
var fields = map[string]field{
	"num_leaves":       {"num_leaves", true, 2, 131072, false},
	"learning_rate":    {"learning_rate", false, 0, 10, true},
	"num_iterations":   {"num_iterations", true, 1, 100_000, false},
	"min_data_in_leaf": {"min_data_in_leaf", true, 0, math.MaxInt32, false},
	"feature_fraction": {"feature_fraction", false, 0, 1, true},
	"bagging_fraction": {"bagging_fraction", false, 0, 1, true},
	"bagging_freq":     {"bagging_freq", true, 0, 100_000, false},
	"lambda_l1":        {"lambda_l1", false, 0, 1e9, false},
	"lambda_l2":        {"lambda_l2", false, 0, 1e9, false},
	"max_bin":          {"max_bin", true, 2, 65535, false},
}

// Parameters returns the names of the settings that can vary, sorted.
func Parameters() []string { return slices.Sorted(maps.Keys(fields)) }

func checkDimension(d *eventv1.Dimension) error {
	f, ok := fields[d.GetParameter()]
	switch {
	case !ok:
		return fmt.Errorf("is no setting that can vary; these can: %s", strings.Join(Parameters(), ", "))
	case len(d.GetValues()) > MaxValues:
		return fmt.Errorf("has %d values; at most %d are allowed", len(d.GetValues()), MaxValues)
	case len(d.GetValues()) > 0:
		for _, v := range d.GetValues() {
			if err := f.check("value", v); err != nil {
				return err
			}
		}
		return nil
	case !(d.GetLow() < d.GetHigh()):
		return fmt.Errorf("goes from %v to %v: a range needs a low below its high, or give a list of values", d.GetLow(), d.GetHigh())
	case d.GetLog() && d.GetLow() <= 0:
		return fmt.Errorf("goes from %v, and a logarithmic range must begin above 0", d.GetLow())
	}
	if err := f.check("low", d.GetLow()); err != nil {
		return err
	}
	return f.check("high", d.GetHigh())
}

func (f field) check(what string, v float64) error {
	if !(v >= f.low && v <= f.high) || f.open && v == f.low {
		from := "from"
		if f.open {
			from = "above"
		}
		return fmt.Errorf("%s %v must be %s %v to %v", what, v, from, f.low, f.high)
	}
	if f.whole && v != math.Trunc(v) {
		return fmt.Errorf("%s %v must be a whole number", what, v)
	}
	return nil
}

func ofInt32(v float64) protoreflect.Value   { return protoreflect.ValueOfInt32(int32(v)) }
func ofFloat64(v float64) protoreflect.Value { return protoreflect.ValueOfFloat64(v) }
