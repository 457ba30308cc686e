package churn

// What a candidate must be shown to be beside the champion; see eventv1.Gate.
const (
	Refresh      = "refresh"        // no worse by the margin or more
	MustBeBetter = "must-be-better" // better
)

// Policies are those that a request may ask for, the default first.
var Policies = []string{Refresh, MustBeBetter}
