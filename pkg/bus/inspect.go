package bus

import "context"

// Rights is a set of what a user may do with a topic or a group.
type Rights struct{ Describe, Read, Write bool }

// Cluster is what the brokers tell this program's user about themselves.
type Cluster struct {
	ID      string
	Brokers []string          // host:port, as they advertise themselves
	Topics  map[string]Rights // of the topics asked for, but for those that are missing
	Groups  map[string]Rights // of the groups asked for
}

// Inspector says what a bus's user may do.
type Inspector interface {
	// Inspect describes the cluster, and what may be done with the topics and
	// groups, without changing anything. A broker too old to tell allows
	// everything.
	Inspect(ctx context.Context, topics, groups []string) (Cluster, error)
}
