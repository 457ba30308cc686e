package trainer

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"strings"
	"unicode"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/asfotec/churn/pkg/churn"
)

// The plot is as high as its bars need, and fine enough for a phone's screen.
const (
	plotBars  = 20
	plotWidth = 6.5 * vg.Inch
	barPitch  = 0.25 * vg.Inch
	barWidth  = 0.16 * vg.Inch
	plotDPI   = 144
	nameRunes = 40 // a longer name is cut
)

// The evaluator's colours: its report shows this plot beside its own.
var (
	blue = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	ink  = color.RGBA{0x33, 0x33, 0x33, 0xff}
)

// plotImportances draws the features of most gain, as shares of the model's
// gain, the first on top: importances.png, the same bytes for equal importances.
func plotImportances(i *Importances) ([]byte, error) {
	const op = "trainer.plot"
	names, shares := leading(i.Features)
	bars, err := plotter.NewBarChart(shares, barWidth)
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	bars.Horizontal, bars.Color, bars.LineStyle.Width = true, blue, 0
	labels, err := shareLabels(shares)
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	p := importancePlot(names)
	p.Title.Text = fmt.Sprintf("Importance of the features (%d of %d)", len(names), len(i.Features))
	p.X.Max = max(1, 1.15*shares[len(shares)-1]) // room for the longest bar's label
	p.Add(bars, labels)
	return render(p, barPitch*vg.Length(len(names))+0.95*vg.Inch)
}

// leading returns the names of the features of most gain and their shares of
// all gain in percent, the largest last, as a plot has its top at the end.
func leading(features []Importance) ([]string, plotter.Values) {
	total := 0.0
	for _, f := range features {
		total += f.Gain
	}
	if total == 0 {
		total = 1 // a model without splits: every share is 0
	}
	n := min(len(features), plotBars)
	names, shares := make([]string, n), make(plotter.Values, n)
	for i, f := range features[:n] {
		names[n-1-i], shares[n-1-i] = shown(f.Feature), 100*f.Gain/total
	}
	return names, shares
}

// shown is a name as it can be drawn: on one line, and not too long.
func shown(name string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, name))
	if len(runes) > nameRunes {
		runes = append(runes[:nameRunes-1], '…')
	}
	return string(runes)
}

// shareLabels are the numbers at the ends of the bars.
func shareLabels(shares plotter.Values) (*plotter.Labels, error) {
	var at plotter.XYLabels
	for i, share := range shares {
		at.XYs = append(at.XYs, plotter.XY{X: share, Y: float64(i)})
		at.Labels = append(at.Labels, fmt.Sprintf("%.1f %%", share))
	}
	labels, err := plotter.NewLabels(at)
	if err != nil {
		return nil, err
	}
	for i := range labels.TextStyle {
		style := &labels.TextStyle[i]
		style.Font.Variant, style.Font.Size, style.Color = "Sans", vg.Points(8.5), ink
		style.YAlign = draw.YCenter
	}
	labels.Offset = vg.Point{X: vg.Points(4), Y: vg.Points(1)}
	return labels, nil
}

// importancePlot returns an empty plot with a place for each name. It has no
// axis along the bars, since each has its number.
func importancePlot(names []string) *plot.Plot {
	p := plot.New()
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text = "Share of the total gain"
	p.X.Label.Padding = vg.Points(3)
	p.HideX()
	p.NominalY(names...)
	for _, style := range []*draw.TextStyle{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Tick.Label} {
		style.Font.Variant, style.Font.Size, style.Color = "Sans", vg.Points(9), ink
	}
	p.Title.TextStyle.Font.Size = vg.Points(12)
	p.X.Min, p.X.Padding = 0, 0
	p.Y.Min, p.Y.Max, p.Y.Padding = -0.5, float64(len(names))-0.5, 0
	return p
}

// render draws the plot as a PNG.
func render(p *plot.Plot, height vg.Length) ([]byte, error) {
	canvas := vgimg.NewWith(vgimg.UseWH(plotWidth, height), vgimg.UseDPI(plotDPI))
	margin := vg.Points(6)
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&out, canvas.Image()); err != nil {
		return nil, churn.E("trainer.plot", churn.Internal, err)
	}
	return out.Bytes(), nil
}
