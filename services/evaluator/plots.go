package evaluator

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"iter"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/stat"
)

// Plots are square and fine enough for a phone's screen.
const (
	plotSide = 4.5 * vg.Inch
	plotDPI  = 144
)

// Blue and orange of Okabe and Ito's palette: told apart by everyone, and in
// grey by the champion's dashes.
var (
	blue   = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	orange = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	grey   = color.RGBA{0x9a, 0x9a, 0x9a, 0xff}
	pale   = color.RGBA{0xe6, 0xe6, 0xe6, 0xff}
	ink    = color.RGBA{0x33, 0x33, 0x33, 0xff}
)

// series is one model's part of a plot.
type series struct {
	name   string
	sample *stat.Sample
	bins   []stat.Bin
	style  draw.LineStyle
}

func candidateSeries(s *stat.Sample, bins []stat.Bin) series {
	return series{"Candidate", s, bins, draw.LineStyle{Color: blue, Width: vg.Points(1.8)}}
}

func championSeries(s *stat.Sample, bins []stat.Bin) series {
	return series{"Champion", s, bins, draw.LineStyle{Color: orange, Width: vg.Points(1.8), Dashes: []vg.Length{vg.Points(5), vg.Points(2.5)}}}
}

// rocPlot draws the ROC curves over the diagonal of a guess.
func rocPlot(all []series) ([]byte, error) {
	p := unitPlot("ROC curve", "False positive rate", "True positive rate")
	p.Add(guide(0, 0, 1, 1))
	for _, s := range all {
		name := fmt.Sprintf("%s, AUC %.4f", s.name, s.sample.Metrics(evaluation.Threshold)[stat.AUC])
		if err := addCurve(p, name, s.style, s.sample.ROC()); err != nil {
			return nil, err
		}
	}
	return render(p)
}

// prPlot draws precision against recall over the precision of a guess.
func prPlot(all []series) ([]byte, error) {
	p := unitPlot("Precision and recall", "Recall", "Precision")
	base := float64(all[0].sample.Positives()) / float64(all[0].sample.Len())
	p.Add(guide(0, base, 1, base))
	for _, s := range all {
		name := fmt.Sprintf("%s, average precision %.4f", s.name, s.sample.AveragePrecision())
		if err := addCurve(p, name, s.style, s.sample.PR()); err != nil {
			return nil, err
		}
	}
	return render(p)
}

// calibrationPlot draws the share of positives against the mean score of each
// bin, with Wilson intervals, over the diagonal of perfect calibration; behind
// it, how many rows the candidate's bins have.
func calibrationPlot(all []series) ([]byte, error) {
	p := unitPlot("Calibration", "Mean score of the bin", "Share of positives")
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(6), vg.Points(-6)
	rows := rowsHistogram(all[0].bins)
	p.Add(rows, guide(0, 0, 1, 1))
	p.Legend.Add("Candidate's rows", rows)
	for _, s := range all {
		if err := addCalibration(p, s); err != nil {
			return nil, err
		}
	}
	return render(p)
}

func addCalibration(p *plot.Plot, s series) error {
	var points plotter.XYs
	var spread plotter.YErrors
	for _, b := range s.bins {
		points = append(points, plotter.XY{X: b.Score, Y: b.Rate})
		spread = append(spread, struct{ Low, High float64 }{b.Rate - b.Interval.Low, b.Interval.High - b.Rate})
	}
	line, marks, err := plotter.NewLinePoints(points)
	if err != nil {
		return churn.E("evaluator.plot", churn.Internal, err)
	}
	bars, err := plotter.NewYErrorBars(struct {
		plotter.XYs
		plotter.YErrors
	}{points, spread})
	if err != nil {
		return churn.E("evaluator.plot", churn.Internal, err)
	}
	line.LineStyle = s.style
	marks.GlyphStyle = draw.GlyphStyle{Color: s.style.Color, Radius: vg.Points(2.6), Shape: draw.CircleGlyph{}}
	bars.LineStyle = draw.LineStyle{Color: s.style.Color, Width: vg.Points(0.8)}
	p.Add(bars, line, marks)
	p.Legend.Add(s.name, line, marks)
	return nil
}

// rowsHistogram draws each bin's share of the rows, a fifth of the plot high
// at most, so that it stays under the curves.
func rowsHistogram(bins []stat.Bin) *plotter.Histogram {
	var most int64
	for _, b := range bins {
		most = max(most, b.Rows)
	}
	h := &plotter.Histogram{FillColor: pale, LineStyle: draw.LineStyle{Color: color.White, Width: vg.Points(1)}}
	for _, b := range bins {
		h.Bins = append(h.Bins, plotter.HistogramBin{Min: b.Low, Max: b.High, Weight: 0.2 * float64(b.Rows) / float64(most)})
	}
	return h
}

// unitPlot returns an empty plot of the unit square.
func unitPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(6)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Padding = vg.Points(2)
		axis.Color, axis.Tick.Color = grey, grey
		axis.Tick.Marker = fifths()
		axis.Label.TextStyle.Font.Variant, axis.Tick.Label.Font.Variant = "Sans", "Sans"
		axis.Label.TextStyle.Font.Size, axis.Tick.Label.Font.Size = vg.Points(10), vg.Points(9)
		axis.Label.TextStyle.Color, axis.Tick.Label.Color = ink, ink
		axis.Label.Padding = vg.Points(3)
	}
	p.Title.TextStyle.Font.Variant, p.Title.TextStyle.Color = "Sans", ink
	p.Legend.TextStyle.Font.Variant, p.Legend.TextStyle.Color = "Sans", ink
	p.Legend.TextStyle.Font.Size = vg.Points(9.5)
	p.Legend.Padding, p.Legend.ThumbnailWidth = vg.Points(3), vg.Points(24)
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(-6), vg.Points(6)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = pale, pale
	p.Add(grid)
	return p
}

// fifths are ticks at 0.0, 0.2, … 1.0.
func fifths() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for i := range 6 {
		value := float64(i) / 5
		ticks = append(ticks, plot.Tick{Value: value, Label: fmt.Sprintf("%.1f", value)})
	}
	return ticks
}

// guide is the thin line that a model is held against.
func guide(x1, y1, x2, y2 float64) plot.Plotter {
	return &plotter.Line{
		XYs:       plotter.XYs{{X: x1, Y: y1}, {X: x2, Y: y2}},
		LineStyle: draw.LineStyle{Color: grey, Width: vg.Points(1), Dashes: []vg.Length{vg.Points(2), vg.Points(2)}},
	}
}

func addCurve(p *plot.Plot, name string, style draw.LineStyle, points iter.Seq[stat.Point]) error {
	var xys plotter.XYs
	for _, q := range thin(points) {
		xys = append(xys, plotter.XY{X: q.X, Y: q.Y})
	}
	line, err := plotter.NewLine(xys)
	if err != nil {
		return churn.E("evaluator.plot", churn.Internal, err)
	}
	line.LineStyle = style
	p.Add(line)
	p.Legend.Add(name, line)
	return nil
}

// thin drops points that lie within a pixel of the one before, so that a plot
// of a million rows costs what one of a thousand does. The ends stay.
func thin(points iter.Seq[stat.Point]) (out []stat.Point) {
	const pixel = 1 / float64(plotSide/vg.Inch*plotDPI)
	var end stat.Point
	kept := false
	for p := range points {
		kept = len(out) == 0 || math.Abs(p.X-out[len(out)-1].X) >= pixel || math.Abs(p.Y-out[len(out)-1].Y) >= pixel
		if kept {
			out = append(out, p)
		}
		end = p
	}
	if !kept {
		out = append(out, end)
	}
	return out
}

// render draws the plot as a PNG: the same bytes for the same plot.
func render(p *plot.Plot) ([]byte, error) {
	canvas := vgimg.NewWith(vgimg.UseWH(plotSide, plotSide), vgimg.UseDPI(plotDPI))
	margin := vg.Points(6)
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&out, canvas.Image()); err != nil {
		return nil, churn.E("evaluator.plot", churn.Internal, err)
	}
	return out.Bytes(), nil
}
