package evaluator

import (
	"bytes"
	"encoding/json"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stat"
)

// threshold cuts the classes everywhere: a score of at least so much is
// classified as positive.
const threshold = 0.5

// DocumentVersion is the version of evaluation.json's shape. A change that a
// reader would stumble over is a new version.
const DocumentVersion = 1

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
	Warnings   []string    `json:"warnings"`
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
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Method string  `json:"method"`
}

// Calibration holds the expected calibration error and the bins that have rows.
type Calibration struct {
	Error float64    `json:"error"`
	Bins  []stat.Bin `json:"bins"`
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

// encode returns v as indented JSON with a final newline.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return nil, churn.E("evaluator.encode", churn.Internal, err)
	}
	return out.Bytes(), nil
}
