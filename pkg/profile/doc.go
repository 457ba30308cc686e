// Package profile is profile.json: what the data of a run looks like, before the
// preprocessing. The featurizer makes it in the pass that it makes anyway; the
// evaluator compares it with that of the champion's data.
//
// Memory is bounded, whatever the data: keys, categories and bins that are kept
// have each a largest number, and what goes beyond is counted together.
package profile
