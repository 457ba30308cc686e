// Package churn names the world of the pipeline: runs, models, artifacts,
// topics and the kinds of error. It imports no technology.
package churn
