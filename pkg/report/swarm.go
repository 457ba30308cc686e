package report

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/asfotec/churn/pkg/shap"
)

const (
	mostBars   = 15
	mostSwarms = 15
)

// contribution is how much one column contributes.
type contribution struct {
	Column  string
	MeanAbs float64
	Width   float64 // from 0 to 100, the first column's
}

func bars(columns []shap.Column) []contribution {
	var out []contribution
	for _, c := range columns[:min(len(columns), mostBars)] {
		width := 0.0
		if most := columns[0].MeanAbs; most > 0 {
			width = math.Round(1000*c.MeanAbs/most) / 10
		}
		out = append(out, contribution{c.Column, c.MeanAbs, width})
	}
	return out
}

// The swarms' drawing is so large, in units of its own. Dots are drawn round
// however it is stretched.
const (
	swarmHalf   = 200 // from no contribution to the largest
	swarmHeight = 13  // from the middle to the edge
	swarmBins   = 80
	swarmStep   = 3.2 // between dots above each other
	swarmTones  = 5   // of the value, from low to high
)

// swarm is one feature's points: each a row, to the left or right by what the
// feature adds, in the tone of its value.
type swarm struct {
	Feature string
	MeanAbs float64
	Effect  string   // of a larger value, in a word
	Paths   []string // of each tone: SVG paths of lines without length
}

// swarms draws the features that have points, on one scale: the largest
// contribution.
func swarms(features []shap.Feature) (out []swarm, scale float64) {
	features = features[:min(len(features), mostSwarms)]
	for _, f := range features {
		for _, p := range f.Points {
			scale = max(scale, math.Abs(p.Contribution))
		}
	}
	for _, f := range features {
		if len(f.Points) > 0 && scale > 0 {
			out = append(out, swarm{f.Feature, f.MeanAbs, effect(f.Points), paths(f.Points, scale)})
		}
	}
	return out, scale
}

// paths places the points that lie in one bin above and below each other, in the
// order of their values.
func paths(points []shap.Point, scale float64) []string {
	bins := map[int][]shap.Point{}
	for _, p := range points {
		at := int(math.Round(p.Contribution / scale * swarmBins / 2))
		bins[at] = append(bins[at], p)
	}
	var tones [swarmTones]strings.Builder
	low, high := span(points)
	for at := -swarmBins / 2; at <= swarmBins/2; at++ {
		bin := bins[at]
		slices.SortStableFunc(bin, func(a, b shap.Point) int { return cmp.Compare(a.Value, b.Value) })
		step := min(swarmStep, 2*swarmHeight/float64(len(bin)))
		for i, p := range bin {
			y := (float64(i) - float64(len(bin)-1)/2) * step
			dot(&tones[tone(p.Value, low, high)], p.Contribution/scale*swarmHalf, -y)
		}
	}
	out := make([]string, swarmTones)
	for i := range tones {
		out[i] = tones[i].String()
	}
	return out
}

// dot is a line without length, whose round ends are drawn.
func dot(path *strings.Builder, x, y float64) {
	path.WriteString("M" + strconv.FormatFloat(x, 'f', 1, 64) + " " + strconv.FormatFloat(y, 'f', 1, 64) + "h0")
}

// span returns the values between which tones are told apart, without the few
// that are far off.
func span(points []shap.Point) (low, high float64) {
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = p.Value
	}
	slices.Sort(values)
	off := len(values) / 20
	low, high = values[off], values[len(values)-1-off]
	if low == high {
		low, high = values[0], values[len(values)-1]
	}
	return low, high
}

func tone(value, low, high float64) int {
	if high <= low {
		return swarmTones / 2
	}
	return min(max(int((value-low)/(high-low)*swarmTones), 0), swarmTones-1)
}

// effect says what a larger value of the feature does to the score, as far as a
// line tells it.
func effect(points []shap.Point) string {
	n := float64(len(points))
	var x, y float64
	for _, p := range points {
		x, y = x+p.Value/n, y+p.Contribution/n
	}
	var xx, yy, xy float64
	for _, p := range points {
		dx, dy := p.Value-x, p.Contribution-y
		xx, yy, xy = xx+dx*dx, yy+dy*dy, xy+dx*dy
	}
	switch r := xy / math.Sqrt(xx*yy); {
	case r > 0.3:
		return "raises"
	case r < -0.3:
		return "lowers"
	default: // also if there is one value
		return "varies"
	}
}
