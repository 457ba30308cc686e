// Package feature turns typed rows into what a model is trained on: one-hot
// categoricals and standardized numerics, fitted on the training rows only.
// The fitted Preprocessor is the one source of truth for columns; Go and Python
// both read it.
package feature
