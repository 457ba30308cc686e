package evaluator

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

//go:embed report.html
var reportSource string

var reportTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"png":     inlinePNG,
	"number":  number,
	"signed":  signed,
	"pvalue":  pvalue,
	"percent": percent,
	"count":   count,
	"short":   short,
}).Parse(reportSource))

// images are the PNGs of the report.
type images struct {
	roc, pr, calibration, importances []byte
}

// page is what the template sees.
type page struct {
	*evaluation.Document
	Trained *eventv1.ModelTrained
	Rows    []metricRow
	Models  []modelColumn
	Facts   []fact
	Split   []fact
	Params  []fact
	Digests []fact

	ROC, PR, CalibrationPlot, Importances []byte
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

// modelColumn is one model's confusion matrix and calibration.
type modelColumn struct {
	Name string
	*evaluation.Judgement
}

type fact struct{ Name, Value string }

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

// report returns report.html: one page without scripts, times or anything to
// fetch, so that it reads the same wherever it is kept.
func report(d *evaluation.Document, trained *eventv1.ModelTrained, i images) ([]byte, error) {
	p := page{
		Document: d, Trained: trained,
		Rows:    metricRows(d),
		Models:  []modelColumn{{"Candidate", &d.Candidate}},
		Facts:   facts(d, trained),
		Split:   append(fields(trained.GetPlan().GetSplit()), fields(trained.GetPlan().GetGate())...),
		Params:  fields(trained.GetPlan().GetTraining()),
		Digests: digests(d, trained),
		ROC:     i.roc, PR: i.pr, CalibrationPlot: i.calibration, Importances: i.importances,
	}
	if d.Champion != nil {
		p.Models = append(p.Models, modelColumn{"Champion", &d.Champion.Judgement})
	}
	var out bytes.Buffer
	if err := reportTemplate.Execute(&out, p); err != nil {
		return nil, churn.E("evaluator.report", churn.Internal, err)
	}
	return out.Bytes(), nil
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

func facts(d *evaluation.Document, trained *eventv1.ModelTrained) []fact {
	f := trained.GetFeatures()
	out := []fact{
		{"Training rows", count(f.GetTrainRows())},
		{"Validation rows", count(f.GetValidationRows())},
		{"Hold-out rows", count(d.Holdout.Rows)},
		{"Positive hold-out rows", count(d.Holdout.Positives) + " (" + percent(d.Holdout.Rate) + ")"},
		{"Trees", count(int64(trained.GetCandidate().GetIterations()))},
		{"Validation AUC", number(trained.GetCandidate().GetValidationAuc())},
	}
	return out
}

// fields lists a message's scalar fields in the order of their declaration.
func fields(m proto.Message) []fact {
	var out []fact
	r := m.ProtoReflect()
	declared := r.Descriptor().Fields()
	for i := range declared.Len() {
		fd := declared.Get(i)
		out = append(out, fact{string(fd.Name()), scalar(r.Get(fd))})
	}
	return out
}

func scalar(v protoreflect.Value) string {
	switch v := v.Interface().(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return strconv.Quote(v)
	default:
		return fmt.Sprint(v)
	}
}

func digests(d *evaluation.Document, trained *eventv1.ModelTrained) []fact {
	out := []fact{
		{"Dataset", trained.GetPlan().GetDataset().GetSha256()},
		{"Dataset spec", trained.GetPlan().GetSpec().GetSha256()},
		{"Features", trained.GetFeatures().GetTable().GetSha256()},
		{"Preprocessor", d.Candidate.PreprocessorSHA256},
		{"Model", d.Candidate.ModelSHA256},
		{"Trees", trained.GetCandidate().GetTreesSha256()},
	}
	if d.Champion != nil {
		out = append(out, fact{"Champion's model", d.Champion.ModelSHA256},
			fact{"Champion's preprocessor", d.Champion.PreprocessorSHA256})
	}
	return out
}

// inlinePNG is safe as a URL: base64 of bytes that this process drew or whose
// digest it has verified, shown by an img element and never run.
func inlinePNG(b []byte) template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b))
}

func number(v float64) string { return minus(strconv.FormatFloat(v, 'f', 4, 64)) }

// signed is number with a plus where it is due.
func signed(v float64) string {
	s := number(v)
	if math.Round(v*1e4) > 0 {
		return "+" + s
	}
	if math.Round(v*1e4) == 0 {
		return "0.0000"
	}
	return s
}

func pvalue(p float64) string {
	if p < 0.0001 {
		return "p < 0.0001"
	}
	return "p = " + number(p)
}

// percent has one decimal, unless that is a zero.
func percent(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(100*v, 'f', 1, 64), ".0") + "\u00a0%"
}

// count groups the digits by thin spaces.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var out strings.Builder
	for i, r := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			out.WriteRune('\u202f')
		}
		out.WriteRune(r)
	}
	return out.String()
}

func short(digest string) string { return digest[:min(len(digest), 12)] }

// minus puts the typographic minus sign, as wide as a plus.
func minus(s string) string { return strings.Replace(s, "-", "−", 1) }
