package bus

import "context"

// Wanted is how topics are to be.
type Wanted struct {
	Topics []TopicConfig
	// MinInSync is how many replicas must have a record before it counts as
	// written; 0: one less than the bus gives a topic.
	MinInSync int
	// Grow lets partitions be added to topics that lack some. The records of a key
	// are then in another partition than the older ones of that key, which a
	// consumer may see after them.
	Grow bool
}

// What a Change is about, beside the settings of Kafka.
const (
	SettingTopic      = "topic" // which is missing
	SettingPartitions = "partitions"
	SettingReplicas   = "replicas"
)

// Change is one thing about a topic that is not as it is wanted.
type Change struct {
	Topic   string `json:"topic"`
	Setting string `json:"setting"`
	Is      string `json:"is,omitempty"` // empty if there is no such topic
	Want    string `json:"want"`
	Refused string `json:"refused,omitempty"` // why it is not made, and what to do; empty if nothing is lost by it
}

// ACL lets a principal do one thing, or forbids it. Its words are those of
// Kafka's tools.
type ACL struct {
	Principal  string `json:"principal"` // User:NAME
	Host       string `json:"host"`      // * for any
	Permission string `json:"permission"`
	Operation  string `json:"operation"`
	Resource   string `json:"resource"` // Topic or Group, for what the pipeline has
	Pattern    string `json:"pattern"`  // Literal or Prefixed
	Name       string `json:"name"`
}

// Provisioner makes topics and rights as they are wanted.
type Provisioner interface {
	// PlanTopics returns what is not as wanted, in the order of the topics. It
	// changes nothing.
	PlanTopics(ctx context.Context, w Wanted) ([]Change, error)
	// ApplyTopics makes the changes of a plan that are not refused, and returns
	// when the brokers know of them.
	ApplyTopics(ctx context.Context, w Wanted, plan []Change) error
	// ACLs returns those of the principals. A broker that has none, because it
	// allows everyone everything, is an Invalid error.
	ACLs(ctx context.Context, principals ...string) ([]ACL, error)
	// AddACLs adds those that are missing, and returns when the broker knows of
	// them. It never takes any away.
	AddACLs(ctx context.Context, acls ...ACL) error
}
