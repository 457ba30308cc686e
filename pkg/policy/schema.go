package policy

import (
	"errors"
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// What is not there, and what to do about it.
const (
	noChampion   = "there is no champion: give the rule `when: champion.exists`"
	noComparison = "the evaluation has no paired comparison with the champion: it is of an older evaluator; evaluate the candidate again"
	noSlices     = "the evaluation has no slices: declare some in the dataset spec, or give the rule `when: has_slices`"
	noDrift      = "drift from the champion's training data is not known: give the rule `when: drift.exists`"
	noData       = "the evaluation does not say what the data is like: it is of an older evaluator; evaluate the candidate again"
	noPoint      = "no operating point was chosen: give the rule `when: operating_point.exists`"
)

// part makes a field of a T.
func part[T, V any](name string, typ *cel.Type, says string, get func(T) V) field {
	return field{name, says, typ, func(o *object) (any, error) { return get(o.data.(T)), nil }}
}

func number[T any](name, says string, get func(T) float64) field {
	return part(name, cel.DoubleType, says, get)
}

func count[T any](name, says string, get func(T) int64) field {
	return part(name, cel.IntType, says, get)
}

func word[T any](name, says string, get func(T) string) field {
	return part(name, cel.StringType, says, get)
}

// whether makes the field that tells whether an object is there.
func whether(says string) field { return field{exists, says, cel.BoolType, nil} }

// newer makes a number among metrics that older evaluators leave out. They all leave
// out the average precision, too, which is never 0.
func newer(name, says string, get func(*eventv1.Metrics) float64) field {
	return field{name, says, cel.DoubleType, func(o *object) (any, error) {
		m := o.data.(*eventv1.Metrics)
		if m.GetAveragePrecision() == 0 {
			return nil, errors.New("it is not told: the evaluation is of an older evaluator; evaluate the candidate again")
		}
		return get(m), nil
	}}
}

// several makes a field that is a list of objects.
func several[E any](name, says string, of *kind, list func(o *object) []E, path func(o *object, e E) string) field {
	return field{name, says, cel.ListType(of.typ), func(o *object) (any, error) {
		all := list(o)
		out := make([]ref.Val, len(all))
		for i, e := range all {
			out[i] = &object{kind: of, path: path(o, e), data: e, seen: o.seen}
		}
		return out, nil
	}}
}

var differenceKind = newKind("Difference",
	number("value", "candidate less champion", (*eventv1.Difference).GetValue),
	number("error", "its standard error", (*eventv1.Difference).GetError),
	number("low", "lower end of its interval at 95 %", (*eventv1.Difference).GetLow),
	number("high", "upper end of it", (*eventv1.Difference).GetHigh),
)

// metricFields are those of a model on hold-out rows.
var metricFields = []field{
	number("auc", "area under the ROC curve", (*eventv1.Metrics).GetAuc),
	number("accuracy", "share of rows classified rightly at threshold 0.5, as for F1, precision and recall", (*eventv1.Metrics).GetAccuracy),
	number("f1", "F1", (*eventv1.Metrics).GetF1),
	number("log_loss", "mean negative log likelihood: less is better", (*eventv1.Metrics).GetLogLoss),
	number("brier", "mean squared error of the probability: less is better", (*eventv1.Metrics).GetBrier),
	number("ks", "largest distance between the classes' score distributions", (*eventv1.Metrics).GetKs),
	newer("precision", "share of rows classified as positive that are", (*eventv1.Metrics).GetPrecision),
	newer("recall", "share of positive rows classified as such", (*eventv1.Metrics).GetRecall),
	newer("average_precision", "area under the curve of precision against recall", (*eventv1.Metrics).GetAveragePrecision),
	newer("calibration_error", "expected calibration error (ECE)", (*eventv1.Metrics).GetCalibrationError),
	newer("calibration_slope", "1 of a calibrated model, less of one that is too sure", (*eventv1.Metrics).GetCalibrationSlope),
	newer("calibration_intercept", "0 of a calibrated model", (*eventv1.Metrics).GetCalibrationIntercept),
}

var metricsKind = newKind("Metrics", metricFields...)

// championKind is of the whole evaluation: metrics and what else is known.
var championKind = newKind("Champion", append([]field{
	whether("whether there is one"),
	count("version", "its registered version", func(m *eventv1.ModelEvaluated) int64 { return m.GetChampion().GetVersion() }),
}, within(metricFields, func(o *object) *object { return o.as(o.data.(*eventv1.ModelEvaluated).GetChampionMetrics()) })...)...)

// as returns the object with other data behind it.
func (o *object) as(data any) *object {
	p := *o
	p.data = data
	return &p
}

// within makes fields of a part fields of the whole.
func within(fields []field, part func(o *object) *object) []field {
	out := make([]field, len(fields))
	for i, f := range fields {
		out[i] = f
		out[i].get = func(o *object) (any, error) { return f.get(part(o)) }
	}
	return out
}

// difference makes a field that is a difference, which may not be told.
func difference[T any](name, says string, get func(T) *eventv1.Difference) field {
	return field{name, says, differenceKind.typ, func(o *object) (any, error) {
		d := get(o.data.(T))
		if d == nil {
			return nil, errors.New("it is not told")
		}
		return o.at(differenceKind, name, d), nil
	}}
}

// metricsOf makes a field that is a model's metrics, which may not be told.
func metricsOf[T any](name, says string, get func(T) *eventv1.Metrics) field {
	return field{name, says, metricsKind.typ, func(o *object) (any, error) {
		m := get(o.data.(T))
		if m == nil {
			return nil, errors.New("they are not told")
		}
		return o.at(metricsKind, name, m), nil
	}}
}

var comparisonKind = newKind("Comparison",
	whether("whether candidate and champion were compared"),
	difference("auc", "difference of AUC, by DeLong's method", aucDifference),
	difference("accuracy", "difference of accuracy, by the paired bootstrap, as all below", (*eventv1.Comparison).GetAccuracy),
	difference("f1", "difference of F1", (*eventv1.Comparison).GetF1),
	difference("precision", "difference of precision", (*eventv1.Comparison).GetPrecision),
	difference("recall", "difference of recall", (*eventv1.Comparison).GetRecall),
	difference("log_loss", "difference of log loss: below 0 is better", (*eventv1.Comparison).GetLogLoss),
	difference("brier", "difference of Brier score: below 0 is better", (*eventv1.Comparison).GetBrier),
	difference("ks", "difference of KS", (*eventv1.Comparison).GetKs),
	number("mcnemar_p", "McNemar's exact test of equal accuracies, two-sided", (*eventv1.Comparison).GetMcnemarP),
	count("only_candidate", "rows that only the candidate classifies rightly", (*eventv1.Comparison).GetOnlyCandidate),
	count("only_champion", "rows that only the champion does", (*eventv1.Comparison).GetOnlyChampion),
)

// z is the normal quantile of intervals at 95 %.
const z = 1.959963984540054

// aucDifference returns the difference of AUC, which older evaluators give without
// its interval.
func aucDifference(c *eventv1.Comparison) *eventv1.Difference {
	if d := c.GetAuc(); d != nil {
		return d
	}
	v, e := c.GetAucDifference(), c.GetAucError()
	return &eventv1.Difference{Value: v, Error: e, Low: v - z*e, High: v + z*e}
}

var sliceKind = newKind("Slice",
	word("column", "column of the data", (*eventv1.Slice).GetColumn),
	word("value", "its value in all rows of the slice", (*eventv1.Slice).GetValue),
	count("rows", "hold-out rows", (*eventv1.Slice).GetRows),
	count("positives", "positive ones", (*eventv1.Slice).GetPositives),
	metricsOf("metrics", "the candidate's metrics", (*eventv1.Slice).GetMetrics),
	metricsOf("champion_metrics", "the champion's on the same rows", (*eventv1.Slice).GetChampionMetrics),
	difference("auc", "difference of AUC", (*eventv1.Slice).GetAuc),
	difference("accuracy", "difference of accuracy", (*eventv1.Slice).GetAccuracy),
)

var columnDriftKind = newKind("ColumnDrift",
	word("name", "the column", (*eventv1.ColumnDrift).GetName),
	number("psi", "population stability index", (*eventv1.ColumnDrift).GetPsi),
	number("psi_p", "its p-value", (*eventv1.ColumnDrift).GetPsiP),
	number("ks", "Kolmogorov-Smirnov distance; 0 of a categorical column", (*eventv1.ColumnDrift).GetKs),
	number("ks_p", "its p-value", (*eventv1.ColumnDrift).GetKsP),
	number("q", "smaller p-value, adjusted for the number of tests and columns", (*eventv1.ColumnDrift).GetQ),
	part("drifted", cel.BoolType, "whether q is at most drift.level", (*eventv1.ColumnDrift).GetDrifted),
	part("unseen", cel.ListType(cel.StringType), "categories that the champion's training data did not have", unseen),
	count("unseen_rows", "rows with one of them", (*eventv1.ColumnDrift).GetUnseenRows),
)

func unseen(c *eventv1.ColumnDrift) []ref.Val {
	out := make([]ref.Val, len(c.GetUnseen()))
	for i, name := range c.GetUnseen() {
		out[i] = types.String(name)
	}
	return out
}

var driftKind = newKind("Drift",
	whether("whether it is known"),
	number("level", "false discovery rate of the columns that are said to have drifted", (*eventv1.Drift).GetLevel),
	count("drifted", "columns that have", func(d *eventv1.Drift) int64 { return int64(d.GetDrifted()) }),
	several("columns", "each column", columnDriftKind,
		func(o *object) []*eventv1.ColumnDrift { return o.data.(*eventv1.Drift).GetColumns() },
		func(_ *object, c *eventv1.ColumnDrift) string { return fmt.Sprintf("drift.column(%q)", c.GetName()) }),
)

var columnQualityKind = newKind("ColumnQuality",
	word("name", "the column", (*eventv1.ColumnQuality).GetName),
	number("missing_share", "share of rows that are blank in it", (*eventv1.ColumnQuality).GetMissingShare),
)

var dataKind = newKind("Data",
	whether("whether the evaluation says what the data is like"),
	count("rows", "rows, all splits together", (*eventv1.DataQuality).GetRows),
	number("positive_rate", "share of positive rows", (*eventv1.DataQuality).GetPositiveRate),
	number("duplicate_share", "share of rows whose key an earlier row has", (*eventv1.DataQuality).GetDuplicateShare),
	several("columns", "each column", columnQualityKind,
		func(o *object) []*eventv1.ColumnQuality { return o.data.(*eventv1.DataQuality).GetColumns() },
		func(_ *object, c *eventv1.ColumnQuality) string { return fmt.Sprintf("data.column(%q)", c.GetName()) }),
)

var pointKind = newKind("OperatingPoint",
	whether("whether one was chosen"),
	number("threshold", "scores of at least so much are of the positive class", (*eventv1.OperatingPoint).GetThreshold),
	number("false_positive_cost", "what a false positive costs", (*eventv1.OperatingPoint).GetFalsePositiveCost),
	number("false_negative_cost", "what a false negative costs", (*eventv1.OperatingPoint).GetFalseNegativeCost),
	number("cost", "mean cost of a validation row at the threshold", (*eventv1.OperatingPoint).GetCost),
)

var gateKind = newKind("Gate",
	number("min_auc", "least hold-out AUC (`--min-auc`)", func(e Evidence) float64 { return e.gate().GetMinAuc() }),
	number("min_accuracy", "least hold-out accuracy (`--min-accuracy`)", func(e Evidence) float64 { return e.gate().GetMinAccuracy() }),
	number("margin", "difference of AUC that does not count (`--margin`)", func(e Evidence) float64 { return e.gate().GetMargin() }),
	number("alpha", "largest p-value that counts at this look at the hold-out: 6/π²n² of `--alpha` at the n-th", Evidence.alpha),
	word("baseline_stage", "registry stage whose version is the champion (`--baseline-stage`)", func(e Evidence) string { return e.gate().GetBaselineStage() }),
)

func (e Evidence) gate() *eventv1.Gate { return e.Evaluated.GetPlan().GetGate() }

// alpha is what of the gate's is spent on this look at the hold-out: 6/π²n² of it
// on the n-th, so that all looks together spend no more than there is.
func (e Evidence) alpha() float64 {
	n := float64(max(1, e.Look))
	return e.gate().GetAlpha() * spent / (n * n)
}

const spent = 6 / (3.141592653589793 * 3.141592653589793)

// kinds are all of them, in the guide's order.
var kinds = []*kind{
	metricsKind, championKind, comparisonKind, differenceKind, sliceKind, driftKind, columnDriftKind, dataKind, columnQualityKind, pointKind, gateKind,
}

// variable is a name that expressions begin with.
type variable struct {
	name, says string
	typ        *cel.Type
	of         func(e Evidence, seen *trace) any // an *object or a ref.Val
}

// thing makes a variable that is an object.
func thing(name, says string, k *kind, data func(e Evidence) (data any, missing string)) variable {
	return variable{name, says, k.typ, func(e Evidence, seen *trace) any {
		v, missing := data(e)
		return &object{kind: k, path: name, data: v, missing: missing, seen: seen}
	}}
}

// unless returns why if that is so.
func unless(there bool, why string) string {
	if there {
		return ""
	}
	return why
}

// variables are all of them, in the guide's order.
var variables = []variable{
	thing("candidate", "the candidate's metrics on the hold-out", metricsKind, func(e Evidence) (any, string) {
		return e.Evaluated.GetMetrics(), ""
	}),
	thing("champion", "the champion's metrics on the same rows", championKind, func(e Evidence) (any, string) {
		return e.Evaluated, unless(e.Evaluated.GetChampion() != nil && e.Evaluated.GetChampionMetrics() != nil, noChampion)
	}),
	thing("comparison", "the paired tests of the two", comparisonKind, func(e Evidence) (any, string) {
		if e.Evaluated.GetChampion() == nil {
			return nil, noChampion
		}
		return e.Evaluated.GetComparison(), unless(e.Evaluated.GetComparison() != nil, noComparison)
	}),
	{"slices", "the groups of hold-out rows that the dataset spec declares and that have rows enough", cel.ListType(sliceKind.typ), slicesOf},
	{"has_slices", "whether there are any", cel.BoolType, func(e Evidence, seen *trace) any {
		there := len(e.Evaluated.GetSlices()) > 0
		seen.add("", "has_slices", there)
		return types.Bool(there)
	}},
	thing("drift", "the data beside that of the champion's training", driftKind, func(e Evidence) (any, string) {
		return e.Evaluated.GetDrift(), unless(e.Evaluated.GetDrift() != nil, noDrift)
	}),
	thing("data", "what the data is like", dataKind, func(e Evidence) (any, string) {
		return e.Evaluated.GetData(), unless(e.Evaluated.GetData() != nil, noData)
	}),
	thing("operating_point", "where the candidate's scores are to be cut", pointKind, func(e Evidence) (any, string) {
		return e.Evaluated.GetOperatingPoint(), unless(e.Evaluated.GetOperatingPoint() != nil, noPoint)
	}),
	thing("gate", "what the request asks for", gateKind, func(e Evidence) (any, string) { return e, "" }),
	{"look", "how often the hold-out was looked at to compare with a champion, this time included; 0 without a champion", cel.IntType, func(e Evidence, seen *trace) any {
		seen.add("", "look", e.Look)
		return types.Int(e.Look)
	}},
}

// slicesOf returns the slices. That there are none is an error: of none, all would
// hold.
func slicesOf(e Evidence, seen *trace) any {
	all := e.Evaluated.GetSlices()
	if len(all) == 0 {
		return types.NewErrFromString(noSlices)
	}
	out := make([]ref.Val, len(all))
	for i, s := range all {
		out[i] = &object{kind: sliceKind, path: fmt.Sprintf("slices.where(%q, %q)", s.GetColumn(), s.GetValue()), data: s, seen: seen}
	}
	return types.NewRefValList(types.DefaultTypeAdapter, out)
}

// view is the evidence as an expression sees it.
type view struct {
	evidence Evidence
	seen     *trace
	bound    map[string]any
}

// ResolveName implements cel.Activation.
func (v *view) ResolveName(name string) (any, bool) {
	if known, ok := v.bound[name]; ok {
		return known, true
	}
	for _, known := range variables {
		if known.name == name {
			of := known.of(v.evidence, v.seen)
			if v.bound == nil {
				v.bound = map[string]any{}
			}
			v.bound[name] = of
			return of, true
		}
	}
	return nil, false
}

// Parent implements cel.Activation.
func (v *view) Parent() cel.Activation { return nil }
