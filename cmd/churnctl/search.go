package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/asfotec/churn/pkg/search"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// searchFlags ask for several trials rather than one training.
type searchFlags struct {
	trials, minTrials, folds, halving, parallel int32
	strategy                                    string
	dimensions                                  []string
}

func (f *searchFlags) add(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.dimensions, "search", nil, "a setting that varies from trial to trial: num_leaves=15,31,63 chooses from a list, "+
		"learning_rate=0.01..0.3:log from a range, evenly or on a logarithmic scale; once for each of "+strings.Join(search.Parameters(), ", "))
	fs.Int32Var(&f.trials, "trials", 0, "how many trials (default: 16, or of a grid all); trainers share them, and the best on the validation rows is evaluated")
	fs.StringVar(&f.strategy, "strategy", search.Random, "how settings are chosen: "+strings.Join(search.Strategies, ", "))
	fs.Int32Var(&f.minTrials, "min-trials", 0, "fewest trials that must come to a model (default: all but a tenth)")
	fs.Int32Var(&f.parallel, "parallel", search.DefaultParallel, "most trials under way at a time: the rest of the trainers is left to other runs (0: as the default)")
	fs.Int32Var(&f.folds, "folds", 0, "judge trials by cross-validation over so many folds rather than by the validation rows alone")
	fs.Int32Var(&f.halving, "halving", 0, "train all trials for few iterations, one in so many of them, the best, for as many times longer, and so on")
}

// defaultTrials is how many trials a search has that says nothing else.
const defaultTrials = 16

// search returns what the flags ask for, nil if it is one training.
func (f *searchFlags) search() (*eventv1.Search, error) {
	if len(f.dimensions) == 0 {
		if f.trials > 1 || f.folds > 0 || f.halving > 0 || f.minTrials > 0 {
			return nil, usageErrorf("--trials, --min-trials, --folds and --halving are for a search: say what varies, for example --search num_leaves=15,31,63")
		}
		return nil, nil
	}
	s := &eventv1.Search{Trials: f.trials, Strategy: f.strategy, MinTrials: f.minTrials, Folds: f.folds, Halving: f.halving, Parallel: f.parallel}
	for _, text := range f.dimensions {
		d, err := dimension(text)
		if err != nil {
			return nil, usageErrorf("--search %s: %w", text, err)
		}
		s.Dimensions = append(s.Dimensions, d)
	}
	if s.GetTrials() == 0 {
		s.Trials = defaultTrials
		if s.GetStrategy() == search.Grid {
			s.Trials = int32(search.GridSize(s))
		}
	}
	if err := search.Check(s); err != nil {
		return nil, usageErrorf("%w", err)
	}
	return s, nil
}

// dimension reads PARAMETER=VALUE,VALUE,… or PARAMETER=LOW..HIGH[:log].
func dimension(text string) (*eventv1.Dimension, error) {
	name, values, ok := strings.Cut(text, "=")
	if !ok || name == "" || values == "" {
		return nil, fmt.Errorf("write PARAMETER=VALUE,VALUE or PARAMETER=LOW..HIGH")
	}
	d := &eventv1.Dimension{Parameter: strings.ReplaceAll(name, "-", "_")}
	values, d.Log = strings.CutSuffix(values, ":log")
	if low, high, is := strings.Cut(values, ".."); is {
		var err error
		if d.Low, err = numberOf(low); err != nil {
			return nil, err
		}
		d.High, err = numberOf(high)
		return d, err
	}
	if d.Log {
		return nil, fmt.Errorf(":log is for a range")
	}
	for value := range strings.SplitSeq(values, ",") {
		v, err := numberOf(value)
		if err != nil {
			return nil, err
		}
		d.Values = append(d.Values, v)
	}
	return d, nil
}

func numberOf(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a number", text)
	}
	return v, nil
}
