// Package worker trains with LightGBM in processes of their own, so that native
// code that ends its process is a failed attempt and never a dead service.
//
// A worker is the running program, executed again. A program that trains
// therefore begins with
//
//	func main() {
//		worker.Main() // does not return in the process that trains
//		…
//
// and a test that trains with a TestMain that does the same. Workers stay between
// trainings, are replaced when they die, and die with their parent.
//
// Several workers can train one model together, each on a part of the rows: those
// of one pool, or such that the pools of other programs lend. See TrainTogether and
// Lend; docs/adr/0025 says why LightGBM's own sockets are not used for it.
package worker
