// Package flavor writes a trained version as an MLflow model: a folder that
// mlflow.pyfunc.load_model and `mlflow models serve` score raw rows with, as
// ModelService does, and of which mlflow.lightgbm.load_model gives the bare
// booster.
//
// The loader that MLflow runs is in loader.py. It reads the same
// preprocessor.json and model.txt as everybody else; nothing is pickled.
package flavor
