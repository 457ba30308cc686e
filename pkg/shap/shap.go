// Package shap is contributions.json: what each feature adds to the log odds of
// validation rows by LightGBM's own account of its model (SHAP), summed up for
// people.
package shap

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
)

// Version is the version of contributions.json's shape. A change that a reader
// would stumble over is a new version.
const Version = 1

const (
	pointRows     = 200 // rows that points are given of
	pointFeatures = 20  // features that points are given of
)

// Document is contributions.json. Of every row that is explained, the
// contributions of all features and the expected value add up to the log odds of
// its score. Features and columns are in falling order of MeanAbs.
type Document struct {
	Version  int       `json:"version"`
	Rows     int64     `json:"rows"`     // explained: the first validation rows
	Expected float64   `json:"expected"` // log odds that contributions are added to
	Features []Feature `json:"features"`
	Columns  []Column  `json:"columns"` // each the sum of its features, row by row
}

// Feature is what one feature adds to the log odds.
type Feature struct {
	Feature string  `json:"feature"` // column=category, or the column's name if it is numeric
	Column  string  `json:"column"`
	MeanAbs float64 `json:"mean_abs"`
	Mean    float64 `json:"mean"`
	// Points has some rows, the same of every feature; of the first features only.
	Points []Point `json:"points,omitempty"`
}

// Column is what one column adds to the log odds.
type Column struct {
	Column  string  `json:"column"`
	MeanAbs float64 `json:"mean_abs"`
	Mean    float64 `json:"mean"`
}

// Point is one row of a feature. Both numbers have five digits: they are to be
// drawn.
type Point struct {
	Value        float64 `json:"value"` // 1 or 0 of a category; as in the data of a numeric column
	Contribution float64 `json:"contribution"`
}

// Summarize sums up contributions, rows × (features + 1) with the expected value
// last, of the first rows of x, rows × features; both are row-major.
func Summarize(p *feature.Preprocessor, x, contributions []float64) (*Document, error) {
	width := len(p.Features)
	rows := len(contributions) / (width + 1)
	if rows == 0 || len(contributions) != rows*(width+1) || len(x) < rows*width {
		return nil, churn.Errorf("shap.Summarize", churn.Internal,
			"%d contributions and %d values of %d features: they are of no rows", len(contributions), len(x), width)
	}
	t := table{x: x, contributions: contributions, rows: rows, width: width}
	d := &Document{Version: Version, Rows: int64(rows), Expected: contributions[width]}
	from := make(map[string]source, width)
	at := 0
	for _, c := range p.Columns {
		n := 1
		if c.Kind == dataset.Categorical {
			n = len(c.Categories)
		}
		for i := at; i < at+n; i++ {
			abs, mean := t.means(i, i+1)
			d.Features = append(d.Features, Feature{Feature: p.Features[i], Column: c.Name, MeanAbs: abs, Mean: mean})
			from[p.Features[i]] = source{i, c}
		}
		abs, mean := t.means(at, at+n)
		d.Columns = append(d.Columns, Column{c.Name, abs, mean})
		at += n
	}
	slices.SortStableFunc(d.Features, func(a, b Feature) int { return cmp.Compare(b.MeanAbs, a.MeanAbs) })
	slices.SortStableFunc(d.Columns, func(a, b Column) int { return cmp.Compare(b.MeanAbs, a.MeanAbs) })
	for i := range d.Features[:min(len(d.Features), pointFeatures)] {
		d.Features[i].Points = t.points(from[d.Features[i].Feature])
	}
	return d, nil
}

// JSON returns contributions.json: on one line, since most of it is points.
func (d *Document) JSON() ([]byte, error) {
	out, err := json.Marshal(d)
	if err != nil {
		return nil, churn.E("shap.JSON", churn.Internal, err)
	}
	return append(out, '\n'), nil
}

// table is what is summed up.
type table struct {
	x, contributions []float64
	rows, width      int
}

// source is the place of a feature in a row, and its column.
type source struct {
	at     int
	column feature.Column
}

// means returns the means, over the rows, of the size and of the value of what
// features from to to together contribute.
func (t table) means(from, to int) (abs, mean float64) {
	for row := range t.rows {
		sum := 0.0
		for _, c := range t.contributions[row*(t.width+1)+from : row*(t.width+1)+to] {
			sum += c
		}
		abs += math.Abs(sum)
		mean += sum
	}
	return abs / float64(t.rows), mean / float64(t.rows)
}

// points returns rows at equal distances, since the table may be in some order.
func (t table) points(s source) []Point {
	n := min(t.rows, pointRows)
	points := make([]Point, n)
	for i := range points {
		row := i * t.rows / n
		value := t.x[row*t.width+s.at]
		if s.column.Kind == dataset.Numeric {
			value = value*s.column.Deviation + s.column.Mean
		}
		points[i] = Point{drawn(value), drawn(t.contributions[row*(t.width+1)+s.at])}
	}
	return points
}

// drawn has five digits of v.
func drawn(v float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 4, 64), 64)
	if err != nil { // beyond the largest number
		return v
	}
	return short
}
