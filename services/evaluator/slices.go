package evaluator

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/stat"
)

// maxValues is how many values of a column are slices of their own.
const maxValues = 50

// slice is the hold-out rows with one value in one column.
type slice struct {
	column, value string
	rows          []uint32 // of the hold-out, in file order
}

// readSlices divides the hold-out as the spec asks: columns in its order, values
// sorted.
func readSlices(table *feature.Table, by dataset.Slices) (out []slice, warnings []string, err error) {
	for _, column := range by.Columns {
		groups, err := table.Groups(column, dataset.Holdout, maxValues)
		if err != nil {
			return nil, nil, err
		}
		if groups.Others > 0 {
			warnings = append(warnings, fmt.Sprintf("Column %s has more than %d values: %d hold-out rows with others are in no slice.",
				column, maxValues, groups.Others))
		}
		out = append(out, divide(column, groups)...)
	}
	return out, warnings, nil
}

func divide(column string, groups *feature.Groups) []slice {
	out := make([]slice, len(groups.Values))
	for i, value := range groups.Values {
		out[i] = slice{column: column, value: value}
	}
	for row, of := range groups.Of {
		if of >= 0 {
			out[of].rows = append(out[of].rows, uint32(row)) //nolint:gosec // a sample has no more
		}
	}
	slices.SortFunc(out, func(a, b slice) int { return cmp.Compare(a.value, b.value) })
	return out
}

// judgeSlice judges candidate and champion on the slice's rows, if there are
// enough of them.
func judgeSlice(of slice, s *scored, by dataset.Slices, level float64) (evaluation.Slice, error) {
	labels := pick(s.labels, of.rows)
	out := evaluation.Slice{Column: of.column, Value: of.value, Rows: int64(len(labels))}
	for _, positive := range labels {
		if positive {
			out.Positives++
		}
	}
	out.Rate = float64(out.Positives) / float64(out.Rows)
	if out.Rows < by.MinRows {
		out.TooSmall = fmt.Sprintf("fewer than %d rows", by.MinRows)
		return out, nil
	}
	if min(out.Positives, out.Rows-out.Positives) < by.MinOfEachClass {
		out.TooSmall = fmt.Sprintf("fewer than %d rows of one class", by.MinOfEachClass)
		return out, nil
	}
	candidate, err := stat.New(labels, pick(s.scores, of.rows))
	if err != nil {
		return out, err
	}
	out.Candidate = byName(candidate.Metrics(evaluation.Threshold))
	if s.champion == nil {
		return out, nil
	}
	champion, err := stat.New(labels, pick(s.championScores, of.rows))
	if err != nil {
		return out, err
	}
	out.Champion = byName(champion.Metrics(evaluation.Threshold))
	auc, err := stat.DeLongPaired(candidate, champion, level)
	if err != nil {
		return out, err
	}
	accuracy, err := stat.AccuracyPaired(candidate, champion, evaluation.Threshold, level)
	out.AUC, out.Accuracy = difference(auc), difference(accuracy)
	return out, err
}

func pick[T any](from []T, rows []uint32) []T {
	out := make([]T, len(rows))
	for i, row := range rows {
		out[i] = from[row]
	}
	return out
}

func byName(values stat.Metrics) map[string]float64 {
	out := map[string]float64{}
	for m, v := range values {
		out[stat.Metric(m).String()] = v
	}
	return out
}

func difference(e stat.Estimate) *evaluation.Difference {
	return &evaluation.Difference{Value: e.Value, Error: e.Error, Low: e.Interval.Low, High: e.Interval.High}
}
