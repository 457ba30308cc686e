// Package search chooses the settings of a run's trials. A trial's settings
// follow from the plan and its number alone, so that every machine, and every
// audit, comes to the same.
package search

import (
	"fmt"
	"math"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Strategies.
const (
	Random = "random"
	Grid   = "grid"
	Sobol  = "sobol"
)

// Strategies are those that a search may have, the default first.
var Strategies = []string{Random, Sobol, Grid}

// DefaultParallel is how many trials of a search that says nothing else are under
// way at a time.
const DefaultParallel = 8

// Limits of a search.
const (
	MaxTrials     = 10_000
	MaxDimensions = 12
	MaxValues     = 1000 // of one dimension
	MaxFolds      = 20
	MaxHalving    = 10
)

// Trials returns the settings of every trial of the plan, by the trial's number:
// the plan's own alone if it has no search. A search that cannot be made is an
// Invalid error that names the field.
//
// Trial 0 of a random or Sobol search has the plan's own settings, so that the
// search never ends with less than no search would. Each trial's seed follows
// from the plan's and the trial's number.
func Trials(p *eventv1.Plan) ([]*eventv1.Training, error) {
	s := p.GetSearch()
	if s == nil {
		return []*eventv1.Training{p.GetTraining()}, nil
	}
	if err := Check(s); err != nil {
		return nil, err
	}
	points := points(p)
	trials := make([]*eventv1.Training, s.GetTrials())
	for n := range trials {
		trials[n] = settings(p, points, n)
	}
	return trials, nil
}

// Trial returns the settings of one trial of the plan's search, as Trials does.
func Trial(p *eventv1.Plan, n int) (*eventv1.Training, error) {
	if err := Check(p.GetSearch()); err != nil {
		return nil, err
	}
	return settings(p, points(p), n), nil
}

func settings(p *eventv1.Plan, at pointsFunc, n int) *eventv1.Training {
	s, t := p.GetSearch(), proto.CloneOf(p.GetTraining())
	t.Seed = seed(t.GetSeed(), n)
	if s.GetStrategy() != Grid && n == 0 {
		return t
	}
	for i, d := range s.GetDimensions() {
		set(t, d, at(n, i))
	}
	return t
}

// pointsFunc gives a trial's place in a dimension, in [0, 1).
type pointsFunc func(trial, dimension int) float64

func points(p *eventv1.Plan) pointsFunc {
	return pointsOf(p.GetSearch(), uint64(uint32(p.GetTraining().GetSeed())))
}

// seed returns a trial's seed, from 0 as LightGBM needs it; the first trial's is
// the plan's own.
func seed(of int32, trial int) int32 {
	return int32((int64(of) + int64(trial)*7919) & math.MaxInt32) //nolint:gosec // masked to 31 bits
}

func pointsOf(s *eventv1.Search, seed uint64) pointsFunc {
	switch s.GetStrategy() {
	case Grid:
		return gridPoints(s)
	case Sobol:
		return func(trial, dimension int) float64 { return sobol(trial, dimension) }
	default:
		return func(trial, dimension int) float64 { return random(seed, trial, dimension) }
	}
}

// set gives the trial the value of the dimension at u.
func set(t *eventv1.Training, d *eventv1.Dimension, u float64) {
	f := fields[d.GetParameter()]
	v := value(d, u, f.whole)
	r := t.ProtoReflect()
	fd := r.Descriptor().Fields().ByName(f.name)
	if f.whole {
		r.Set(fd, ofInt32(v))
		return
	}
	r.Set(fd, ofFloat64(v))
}

// value returns the dimension's value at u in [0, 1): one of a list, or a number
// of a range, rounded to six digits so that it is the same whatever the machine's
// logarithm gives in the last bit.
func value(d *eventv1.Dimension, u float64, whole bool) float64 {
	if n := len(d.GetValues()); n > 0 {
		return d.GetValues()[min(int(u*float64(n)), n-1)]
	}
	low, high := d.GetLow(), d.GetHigh()
	if whole { // every whole number has an equal share
		low, high = low-0.5, high+0.5
	}
	v := low + u*(high-low)
	if d.GetLog() {
		v = math.Exp(math.Log(low) + u*(math.Log(high)-math.Log(low)))
	}
	if whole {
		return min(max(math.Round(v), d.GetLow()), d.GetHigh())
	}
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64) // its own output
	return min(max(v, d.GetLow()), d.GetHigh())
}

// MinTrials returns how many trials must come to a model.
func MinTrials(s *eventv1.Search) int32 {
	if s.GetMinTrials() > 0 {
		return s.GetMinTrials()
	}
	return s.GetTrials() - s.GetTrials()/10
}

// Parallel returns how many of n trials may be under way at a time.
func Parallel(s *eventv1.Search, n int) int {
	if p := int(s.GetParallel()); p > 0 {
		return min(p, n)
	}
	return n
}

// Check returns an Invalid error that says what is wrong with a search.
func Check(s *eventv1.Search) error {
	return churn.E("search.Check", churn.Invalid, check(s))
}

func check(s *eventv1.Search) error {
	switch {
	case s.GetTrials() < 1 || s.GetTrials() > MaxTrials:
		return fmt.Errorf("search.trials is %d; it must be from 1 to %d", s.GetTrials(), MaxTrials)
	case len(s.GetDimensions()) == 0:
		return fmt.Errorf("search.dimensions is empty: name at least one setting that varies")
	case len(s.GetDimensions()) > MaxDimensions:
		return fmt.Errorf("search.dimensions has %d; at most %d are allowed", len(s.GetDimensions()), MaxDimensions)
	case s.GetMinTrials() < 0 || s.GetMinTrials() > s.GetTrials():
		return fmt.Errorf("search.min_trials is %d; it must be from 0 to the number of trials, %d", s.GetMinTrials(), s.GetTrials())
	case s.GetParallel() < 0 || s.GetParallel() > MaxTrials:
		return fmt.Errorf("search.parallel is %d; it must be from 0 to %d", s.GetParallel(), MaxTrials)
	case s.GetFolds() != 0 && (s.GetFolds() < 2 || s.GetFolds() > MaxFolds):
		return fmt.Errorf("search.folds is %d; it must be 0 or from 2 to %d", s.GetFolds(), MaxFolds)
	case s.GetHalving() < 0 || s.GetHalving() > MaxHalving:
		return fmt.Errorf("search.halving is %d; it must be from 0 to %d", s.GetHalving(), MaxHalving)
	}
	seen := map[string]bool{}
	for i, d := range s.GetDimensions() {
		where := fmt.Sprintf("search.dimensions[%d] (%.40q)", i, d.GetParameter())
		if seen[d.GetParameter()] {
			return fmt.Errorf("%s is there twice", where)
		}
		seen[d.GetParameter()] = true
		if err := checkDimension(d); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	return checkStrategy(s)
}

func checkStrategy(s *eventv1.Search) error {
	switch s.GetStrategy() {
	case Random, Sobol:
		return nil
	case Grid:
		if size := GridSize(s); size != int(s.GetTrials()) {
			return fmt.Errorf("search.trials is %d, and the grid has %d points: a grid is tried whole", s.GetTrials(), size)
		}
		return nil
	}
	return fmt.Errorf("search.strategy is %.40q; it must be one of %v", s.GetStrategy(), Strategies)
}
