// Package evaluation is evaluation.json: what the evaluator finds out about a
// candidate, for the gate, reports and audits to read.
package evaluation

import "github.com/asfotec/churn/pkg/stat"

// Threshold cuts the classes wherever a metric needs classes: a score of at least
// so much is classified as positive.
const Threshold = 0.5

// How an evaluation is made, whoever makes it.
const (
	Level = 0.95 // of every interval
	Bins  = 10   // of the calibration
)

// Version is the version of evaluation.json's shape. A change that a reader would
// stumble over is a new version.
const Version = 1

// Document is evaluation.json: all that is known about a candidate on the
// hold-out, beside the champion on the same rows. Objects have their keys in
// the order below, metrics by name; numbers are in their shortest form that
// reads back the same.
type Document struct {
	Version    int         `json:"version"`
	Model      string      `json:"model"`
	Run        string      `json:"run"`
	Round      int32       `json:"round"`
	Holdout    Holdout     `json:"holdout"`
	Method     Method      `json:"method"`
	Parity     Parity      `json:"parity"`
	Candidate  Judgement   `json:"candidate"`
	Champion   *Champion   `json:"champion"`   // null if there was none
	Comparison *Comparison `json:"comparison"` // null if there was no champion
	// OperatingPoint is where the candidate's scores are to be cut; null, for at
	// 0.5, if the spec declares no cost.
	OperatingPoint *OperatingPoint `json:"operating_point"`
	Slices         []Slice         `json:"slices"` // by column, in the spec's order, and value
	Data           *Data           `json:"data"`   // null if the profile is of an older featurizer
	Drift          *Drift          `json:"drift"`  // null if there was no champion, or its profile cannot be compared with
	Warnings       []string        `json:"warnings"`
}

// Holdout describes the rows that were scored.
type Holdout struct {
	Rows      int64   `json:"rows"`
	Positives int64   `json:"positives"`
	Rate      float64 `json:"rate"` // share of positives
	Test      float64 `json:"test"` // the split that chose the rows
	Salt      string  `json:"salt"`
}

// Method says how the intervals were made.
type Method struct {
	Threshold  float64 `json:"threshold"`
	Level      float64 `json:"level"`      // of every interval
	Replicates int     `json:"replicates"` // of the bootstrap
	Seed       uint64  `json:"seed"`       // of the bootstrap
}

// Parity is how closely the independent scorer reproduced the trainer's scores
// of the validation rows.
type Parity struct {
	Rows              int64   `json:"rows"`
	LargestDifference float64 `json:"largest_difference"`
	Tolerance         float64 `json:"tolerance"`
}

// Judgement is one model on the hold-out.
type Judgement struct {
	ModelSHA256        string             `json:"model_sha256"`
	PreprocessorSHA256 string             `json:"preprocessor_sha256"`
	Metrics            map[string]Measure `json:"metrics"`
	AveragePrecision   float64            `json:"average_precision"`
	Confusion          stat.Confusion     `json:"confusion"`
	Calibration        Calibration        `json:"calibration"`
	Unseen             map[string]int64   `json:"unseen"` // rows by column with a category that training did not have
}

// Measure is a value with its interval and how the interval was made: delong,
// wilson or bootstrap.
type Measure struct {
	Value  float64 `json:"value"`
	Error  float64 `json:"error,omitempty"` // standard error, of a difference
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Method string  `json:"method"`
}

// Calibration holds the expected calibration error, the logistic regression of
// the labels on the scores' log odds, and the bins that have rows.
type Calibration struct {
	Error     float64    `json:"error"`
	Slope     *float64   `json:"slope"`     // 1 of a calibrated model, less of one that is too sure; null if the classes do not overlap
	Intercept *float64   `json:"intercept"` // 0 of a calibrated model; null as well
	Bins      []stat.Bin `json:"bins"`
}

// OperatingPoint is where scores are cut so that mistakes cost least, chosen on
// the validation rows, and what it does on the hold-out.
type OperatingPoint struct {
	Threshold         float64        `json:"threshold"`
	FalsePositiveCost float64        `json:"false_positive_cost"` // as the spec declares
	FalseNegativeCost float64        `json:"false_negative_cost"`
	ValidationCost    float64        `json:"validation_cost"` // mean of a row, at the threshold
	HoldoutCost       float64        `json:"holdout_cost"`
	HalfCost          float64        `json:"half_cost"` // of a hold-out row, were the threshold 0.5
	Confusion         stat.Confusion `json:"confusion"` // on the hold-out
}

// Slice is the hold-out rows that have one value in one column.
type Slice struct {
	Column    string  `json:"column"`
	Value     string  `json:"value"`
	Rows      int64   `json:"rows"`
	Positives int64   `json:"positives"`
	Rate      float64 `json:"rate"`
	// TooSmall says why the slice is not judged; empty if it is, and only then
	// the rest is there.
	TooSmall  string             `json:"too_small,omitempty"`
	Candidate map[string]float64 `json:"candidate,omitempty"` // metrics by name
	Champion  map[string]float64 `json:"champion,omitempty"`
	AUC       *Difference        `json:"auc,omitempty"` // candidate less champion
	Accuracy  *Difference        `json:"accuracy,omitempty"`
}

// Difference is a metric's difference with its standard error and interval.
type Difference struct {
	Value float64 `json:"value"`
	Error float64 `json:"error"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Data says what the data is like, all splits together.
type Data struct {
	Rows           int64           `json:"rows"`
	PositiveRate   float64         `json:"positive_rate"`
	DuplicateShare float64         `json:"duplicate_share"`
	Columns        []ColumnQuality `json:"columns"` // in the spec's order
}

// ColumnQuality is one column of Data.
type ColumnQuality struct {
	Name         string  `json:"name"`
	MissingShare float64 `json:"missing_share"`
}

// Drift holds the tests of the data's columns beside the data that the champion
// was trained on.
type Drift struct {
	ChampionVersion int64         `json:"champion_version"`
	ChampionRows    int64         `json:"champion_rows"`
	Level           float64       `json:"level"` // of the false discovery rate
	Drifted         int           `json:"drifted"`
	Columns         []ColumnDrift `json:"columns"` // that both have, in the spec's order
}

// ColumnDrift is one column's tests; see eventv1.ColumnDrift.
type ColumnDrift struct {
	Name       string   `json:"name"`
	Kind       string   `json:"kind"` // categorical, numeric
	PSI        float64  `json:"psi"`
	PSIP       float64  `json:"psi_p"`
	KS         float64  `json:"ks"`
	KSP        float64  `json:"ks_p"`
	Q          float64  `json:"q"`
	Drifted    bool     `json:"drifted"`
	Unseen     []string `json:"unseen,omitempty"`
	UnseenRows int64    `json:"unseen_rows,omitempty"`
}

// Champion is the version in production when the evaluation began, judged on
// the same rows.
type Champion struct {
	Version    int64  `json:"version"`
	Generation int64  `json:"generation"`
	Run        string `json:"run"`
	Judgement
}

// Comparison is candidate less champion. Every interval is paired: row by row
// for DeLong's, replicate by replicate for the bootstrap's.
type Comparison struct {
	Differences map[string]Measure `json:"differences"`
	AUCError    float64            `json:"auc_error"` // DeLong's standard error of the difference of AUCs
	AUCP        float64            `json:"auc_p"`     // DeLong's test of equal AUCs, two-sided
	McNemar     McNemar            `json:"mcnemar"`
}

// McNemar is the exact test of equal accuracies, two-sided.
type McNemar struct {
	OnlyCandidate int64   `json:"only_candidate"` // rows that only the candidate has right
	OnlyChampion  int64   `json:"only_champion"`
	P             float64 `json:"p"`
}
