// Package stat judges the scores of a binary classifier: metrics, curves,
// calibration, and intervals for one model and for the difference of two.
//
// A Sample sorts its rows once. Every metric is then one pass over the sorted
// rows with a count per row, so that a bootstrap replicate is the same pass
// with other counts: O(n), no sort, no allocation.
//
// Scores are probabilities of the positive class. A row is classified as
// positive if its score is at least the threshold. Bad input (a score that is
// no probability, one class only) is an error of kind churn.Invalid.
package stat
