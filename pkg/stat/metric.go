package stat

// Metric names one number that says how good scores are.
type Metric int

// The metrics. The first and the last are properties of the ranking; Accuracy
// to Recall depend on the threshold; LogLoss and Brier judge the probabilities.
const (
	// AUC is the area under the ROC curve: the Mann–Whitney probability that
	// a positive scores above a negative, a tie counting one half.
	AUC Metric = iota
	// Accuracy is the share of rows classified rightly.
	Accuracy
	// F1 is the harmonic mean of precision and recall.
	F1
	// Precision is the share of predicted positives that are positive; 0 if
	// nothing is predicted positive, as in scikit-learn.
	Precision
	// Recall is the share of positives that are predicted positive.
	Recall
	// LogLoss is the mean negative log likelihood in nats. Scores are kept
	// 2⁻⁵² away from 0 and 1, as scikit-learn does for float64.
	LogLoss
	// Brier is the mean squared error of the scores.
	Brier
	// KS is the two-sample Kolmogorov–Smirnov statistic between the scores
	// of the classes.
	KS

	metrics = int(KS) + 1
)

var metricNames = [metrics]string{"auc", "accuracy", "f1", "precision", "recall", "log_loss", "brier", "ks"}

// String returns the metric's name in snake case, as artifacts spell it.
func (m Metric) String() string { return metricNames[m] }

// LowerIsBetter reports whether the metric is a loss.
func (m Metric) LowerIsBetter() bool { return m == LogLoss || m == Brier }

// Metrics holds the value of every metric, indexed by Metric.
type Metrics [metrics]float64

// Minus returns the differences a - b.
func (a Metrics) Minus(b Metrics) Metrics {
	for m := range a {
		a[m] -= b[m]
	}
	return a
}
