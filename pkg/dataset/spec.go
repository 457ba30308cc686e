package dataset

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/strictyaml"
)

// MaxSpec is the most bytes that a spec may have.
const MaxSpec = 256 << 10

// maxColumns is the most columns that a spec may name.
const maxColumns = 2000

// Spec says what a dataset's columns are and what a run's settings are unless
// the request says otherwise. It is the one place where they stand.
type Spec struct {
	Version    int    `yaml:"version"`
	Name       string `yaml:"name"`
	Model      string `yaml:"model"`
	Experiment string `yaml:"experiment"`
	// Key is the column that identifies a row. Its hash decides the row's split,
	// so rows of one key are all in the same: a key that repeats (one row a month
	// of each customer, say) leaks nothing, and is counted in the run's profile.
	Key      string   `yaml:"key"`
	Target   Target   `yaml:"target"`
	Columns  []Column `yaml:"columns"`
	Split    Split    `yaml:"split"`
	Training Training `yaml:"training"`
	Gate     Gate     `yaml:"gate"`
	Slices   Slices   `yaml:"slices"`
	Cost     *Cost    `yaml:"cost"` // nil: classes are cut at 0.5
}

// Target is the column that is predicted, and its two labels.
type Target struct {
	Column   string `yaml:"column" json:"column"`
	Positive string `yaml:"positive" json:"positive"`
	Negative string `yaml:"negative" json:"negative"`
}

// Kind is what a column holds.
type Kind string

// The kinds.
const (
	Categorical Kind = "categorical"
	Numeric     Kind = "numeric"
)

// Missing is what a blank value means.
type Missing string

// The meanings. Error is the default.
const (
	MissingError    Missing = "error"    // the data is wrong
	MissingZero     Missing = "zero"     // the number is 0
	MissingMean     Missing = "mean"     // the mean of the training rows stands in
	MissingCategory Missing = "category" // blank is a category of its own
)

// Column is one input of the model.
type Column struct {
	Name    string   `yaml:"name"`
	Kind    Kind     `yaml:"kind"`
	Missing Missing  `yaml:"missing"`
	Min     *float64 `yaml:"min"` // least number allowed, if any
	Max     *float64 `yaml:"max"` // largest number allowed, if any
}

// Training holds LightGBM's parameters, by its names; see eventv1.Training.
type Training struct {
	NumLeaves          int32   `yaml:"num_leaves"`
	LearningRate       float64 `yaml:"learning_rate"`
	NumIterations      int32   `yaml:"num_iterations"`
	EarlyStoppingRound int32   `yaml:"early_stopping_round"`
	MinDataInLeaf      int32   `yaml:"min_data_in_leaf"`
	FeatureFraction    float64 `yaml:"feature_fraction"`
	BaggingFraction    float64 `yaml:"bagging_fraction"`
	BaggingFreq        int32   `yaml:"bagging_freq"`
	LambdaL1           float64 `yaml:"lambda_l1"`
	LambdaL2           float64 `yaml:"lambda_l2"`
	MaxBin             int32   `yaml:"max_bin"`
	Seed               int32   `yaml:"seed"`
}

// Gate holds what a candidate must reach; see eventv1.Gate.
type Gate struct {
	MinAUC        float64 `yaml:"min_auc"`
	MinAccuracy   float64 `yaml:"min_accuracy"`
	BaselineStage string  `yaml:"baseline_stage"`
	DryRun        bool    `yaml:"dry_run"`
	Policy        string  `yaml:"policy"`
	Margin        float64 `yaml:"margin"`
	Alpha         float64 `yaml:"alpha"`
}

// ParseSpec reads a spec. Unknown fields, missing ones and contradictions are
// Invalid errors that name the field, and the line where YAML knows it.
func ParseSpec(text []byte) (*Spec, error) {
	const op = "dataset.ParseSpec"
	if len(text) > MaxSpec {
		return nil, churn.Errorf(op, churn.Invalid, "the dataset spec has %d bytes; at most %d are allowed", len(text), MaxSpec)
	}
	s := &Spec{
		Split:    Split{Test: 0.2, Validation: 0.15},
		Training: defaultTraining,
		Slices:   Slices{MinRows: 100, MinOfEachClass: 10},
		Gate:     Gate{MinAUC: 0.82, MinAccuracy: 0.78, BaselineStage: "Production", Policy: churn.Refresh, Margin: 0.01, Alpha: 0.05},
	}
	if err := strictyaml.Decode(text, s); err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the dataset spec is not valid YAML of the expected form: %w", err)
	}
	for i := range s.Columns {
		if s.Columns[i].Missing == "" {
			s.Columns[i].Missing = MissingError
		}
	}
	if err := s.validate(); err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the dataset spec: %w", err)
	}
	return s, nil
}

// defaultTraining are LightGBM's own defaults, but for a larger number of
// iterations with early stopping.
var defaultTraining = Training{
	NumLeaves: 31, LearningRate: 0.1, NumIterations: 500, EarlyStoppingRound: 30, MinDataInLeaf: 20,
	FeatureFraction: 1, BaggingFraction: 1, MaxBin: 255, Seed: 42,
}

func (s *Spec) validate() error {
	if s.Version != 1 {
		return fmt.Errorf("version is %d, want 1", s.Version)
	}
	if err := checkNames("name", s.Name, "model", s.Model, "experiment", s.Experiment); err != nil {
		return err
	}
	if err := checkText("key", s.Key); err != nil {
		return err
	}
	if err := s.Target.validate(); err != nil {
		return err
	}
	if err := s.Split.validate(); err != nil {
		return err
	}
	return cmp.Or(s.validateColumns(), s.validateSlices(), s.Cost.validate())
}

func (t Target) validate() error {
	if err := cmp.Or(
		checkText("target.column", t.Column), checkText("target.positive", t.Positive), checkText("target.negative", t.Negative),
	); err != nil {
		return err
	}
	if t.Positive == t.Negative {
		return fmt.Errorf("target.positive and target.negative are both %q", t.Positive)
	}
	return nil
}

func (s *Spec) validateColumns() error {
	if len(s.Columns) == 0 || len(s.Columns) > maxColumns {
		return fmt.Errorf("columns: there are %d, want 1 to %d", len(s.Columns), maxColumns)
	}
	seen := map[string]string{fold(s.Key): "key", fold(s.Target.Column): "target.column"}
	if fold(s.Key) == fold(s.Target.Column) {
		return fmt.Errorf("key and target.column are both %q", s.Key)
	}
	for i, c := range s.Columns {
		where := fmt.Sprintf("columns[%d]", i)
		if err := checkText(where+".name", c.Name); err != nil {
			return err
		}
		if other, ok := seen[fold(c.Name)]; ok {
			return fmt.Errorf("%s.name %q is %s, too (names are matched without regard to case)", where, c.Name, other)
		}
		seen[fold(c.Name)] = where
		if err := c.validate(); err != nil {
			return fmt.Errorf("%s (%s): %w", where, c.Name, err)
		}
	}
	return nil
}

func (c Column) validate() error {
	if strings.HasPrefix(c.Name, "__") || strings.Contains(c.Name, "=") {
		return fmt.Errorf("a name must not begin with __ or hold =")
	}
	switch c.Kind {
	case Categorical:
		if c.Missing != MissingError && c.Missing != MissingCategory {
			return fmt.Errorf("missing is %q; of a categorical column it is error or category", c.Missing)
		}
		if c.Min != nil || c.Max != nil {
			return fmt.Errorf("min and max are for numeric columns")
		}
	case Numeric:
		if c.Missing != MissingError && c.Missing != MissingZero && c.Missing != MissingMean {
			return fmt.Errorf("missing is %q; of a numeric column it is error, zero or mean", c.Missing)
		}
		if c.Min != nil && c.Max != nil && *c.Min > *c.Max {
			return fmt.Errorf("min %v is above max %v", *c.Min, *c.Max)
		}
		for _, bound := range []*float64{c.Min, c.Max} {
			if bound != nil && (math.IsNaN(*bound) || math.IsInf(*bound, 0)) {
				return fmt.Errorf("min and max must be finite")
			}
		}
	default:
		return fmt.Errorf("kind is %q, want categorical or numeric", c.Kind)
	}
	return nil
}

// Check returns an error that says what is wrong with a number in the column.
func (c Column) Check(v float64) error {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Errorf("is not a finite number")
	case c.Min != nil && v < *c.Min:
		return fmt.Errorf("is below the least allowed, %v", *c.Min)
	case c.Max != nil && v > *c.Max:
		return fmt.Errorf("is above the largest allowed, %v", *c.Max)
	}
	return nil
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// checkNames looks at pairs of field and value: it accepts what can be part of a
// key, a topic and a tracking server's name.
func checkNames(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if !namePattern.MatchString(pairs[i+1]) {
			return fmt.Errorf("%s is %q; it begins with a letter or digit and holds at most 128 of letters, digits, dot, dash, underscore", pairs[i], pairs[i+1])
		}
	}
	return nil
}

func checkText(field, value string) error {
	if value == "" || len(value) > 256 || value != strings.TrimSpace(value) || strings.ContainsAny(value, "\x00\r\n") {
		return fmt.Errorf("%s is %q; it must be text of 1 to 256 bytes on one line, without blanks at its ends", field, value)
	}
	return nil
}

// fold is a column's name as it is matched: without regard to case.
func fold(name string) string { return strings.ToLower(name) }
