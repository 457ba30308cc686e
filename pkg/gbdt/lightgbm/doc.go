// Package lightgbm trains a binary classifier with LightGBM's own library,
// through its C API and without cgo.
//
// The library is loaded only if its digest is the pinned one. Training is
// deterministic: the same data, parameters and seed give the same model text,
// byte for byte, over runs and over any number of threads.
//
// LightGBM can end the process it runs in. Programs use it through package
// worker, which keeps it in a process of its own.
package lightgbm
