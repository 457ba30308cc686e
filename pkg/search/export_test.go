package search

// SobolPoint is what a Sobol search looks up.
var SobolPoint = sobol
