package report

import (
	"math"

	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Of long lists the report has the beginning, and evaluation.json all.
const (
	mostSlices  = 100
	mostColumns = 100
)

// view is what the template sees.
type view struct {
	*evaluation.Document
	Page
	Plan    *eventv1.Plan
	Rows    []metricRow
	Models  []model
	Drifts  list[evaluation.ColumnDrift] // drifted ones first
	Missing list[evaluation.ColumnQuality]
	Judged  list[evaluation.Slice]
	Card    card
	Bars    []contribution
	Swarm   []swarm
	Scale   float64 // of the swarms: the largest contribution
}

// list is the beginning of a list.
type list[T any] struct {
	First []T
	More  int // that are left out
}

func first[T any](all []T, most int) list[T] {
	n := min(len(all), most)
	return list[T]{all[:n], len(all) - n}
}

func (p Page) view() view {
	d := p.Evaluation
	v := view{
		Document: d, Page: p, Plan: p.Made.GetPlan(),
		Rows: metricRows(d), Models: []model{{"Candidate", &d.Candidate}},
		Judged: first(d.Slices, mostSlices), Card: p.card(),
	}
	if d.Champion != nil {
		v.Models = append(v.Models, model{"Champion", &d.Champion.Judgement})
	}
	if d.Drift != nil {
		v.Drifts = first(driftedFirst(d.Drift.Columns), mostColumns)
	}
	if d.Data != nil {
		v.Missing = first(withMissing(d.Data.Columns), mostColumns)
	}
	if p.Contributions != nil {
		v.Bars = bars(p.Contributions.Columns)
		v.Swarm, v.Scale = swarms(p.Contributions.Features)
	}
	return v
}

// model is one model's numbers.
type model struct {
	Name string
	*evaluation.Judgement
}

// metricRow is one metric of candidate and champion.
type metricRow struct {
	Name       string
	Help       string
	Candidate  evaluation.Measure
	Champion   *evaluation.Measure
	Difference *evaluation.Measure
	Bar        bar
}

// bar places a difference's interval on a scale from -100 to 100, the same for
// every metric.
type bar struct{ Low, Value, Width float64 }

var metricHelp = map[stat.Metric][2]string{
	stat.AUC:       {"AUC", "chance that a positive scores above a negative"},
	stat.Accuracy:  {"Accuracy", "share of rows classified rightly"},
	stat.F1:        {"F1", "harmonic mean of precision and recall"},
	stat.Precision: {"Precision", "share of predicted positives that are positive"},
	stat.Recall:    {"Recall", "share of positives that are predicted"},
	stat.LogLoss:   {"Log loss", "mean negative log likelihood; lower is better"},
	stat.Brier:     {"Brier score", "mean squared error of the score; lower is better"},
	stat.KS:        {"KS", "largest distance between the classes' score distributions"},
}

func metricRows(d *evaluation.Document) []metricRow {
	var rows []metricRow
	scale := 0.0
	for m := stat.AUC; m <= stat.KS; m++ {
		row := metricRow{Name: metricHelp[m][0], Help: metricHelp[m][1], Candidate: d.Candidate.Metrics[m.String()]}
		if d.Champion != nil {
			champion, difference := d.Champion.Metrics[m.String()], d.Comparison.Differences[m.String()]
			row.Champion, row.Difference = &champion, &difference
			scale = max(scale, math.Abs(difference.Low), math.Abs(difference.High))
		}
		rows = append(rows, row)
	}
	for i, row := range rows {
		if row.Difference != nil && scale > 0 {
			at := func(v float64) float64 { return math.Round(v / scale * 95) }
			low, high := at(row.Difference.Low), at(row.Difference.High)
			rows[i].Bar = bar{Low: low, Value: at(row.Difference.Value), Width: max(high-low, 1)}
		}
	}
	return rows
}

// driftedFirst returns the columns that have drifted, then the others.
func driftedFirst(columns []evaluation.ColumnDrift) []evaluation.ColumnDrift {
	var drifted, others []evaluation.ColumnDrift
	for _, c := range columns {
		if c.Drifted || c.UnseenRows > 0 {
			drifted = append(drifted, c)
		} else {
			others = append(others, c)
		}
	}
	return append(drifted, others...)
}

// withMissing returns the columns that have blanks.
func withMissing(columns []evaluation.ColumnQuality) []evaluation.ColumnQuality {
	var some []evaluation.ColumnQuality
	for _, c := range columns {
		if c.MissingShare > 0 {
			some = append(some, c)
		}
	}
	return some
}
