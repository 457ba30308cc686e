// Package mlflow writes the model registry and the record of runs to an MLflow
// server, over REST.
//
// MLflow can neither number a version nor change an alias on a condition, so it
// decides nothing: the registry that it is made from (the authority) does, and
// MLflow is written after it, as its projection. Whoever is cut off in between
// is run again and goes on where it stopped: each call first looks for what an
// earlier attempt has left.
//
// What is projected is found by its tags, never by MLflow's numbers, which
// differ from the authority's where someone else writes to the same model.
package mlflow
