package bus

import "context"

// Lagger says how far a group is behind.
type Lagger interface {
	// Lag returns how many records of each partition of each topic the group has not
	// committed. It asks the brokers.
	Lag(ctx context.Context, group string, topics ...string) (map[string]map[int]int64, error)
}
