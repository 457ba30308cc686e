// Package leaves scores rows with a LightGBM model without LightGBM: by
// github.com/dmitryikh/leaves, an implementation of its own. Where the two give
// the same scores, both are right.
//
// That library trusts what it reads: an index out of range is a panic, a cycle
// a loop without end, and what it does not know is passed over. So Load checks
// the text first. What passes is a boosted binary classifier of numerical trees,
// of bounded size, in which every index is in range and each tree is one tree.
package leaves
