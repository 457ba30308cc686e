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
package worker
