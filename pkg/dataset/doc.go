// Package dataset reads training data as a dataset spec says: which columns
// there are, what they hold, which row falls into which split.
package dataset
