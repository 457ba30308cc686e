package churn

import "slices"

// Client is whoever asks for runs, decides on approvals and reads the log:
// churnctl, and programs of your own.
const Client Service = "client"

// AnyRun stands for a run's id in the keys of Permissions.
const AnyRun = "<run>"

// ProbeKey is the object that tells whether the store honours conditional writes.
const ProbeKey = "doctor/conditional-write"

// Permissions is all that a service needs to be allowed. What brokers and object
// stores are told, and what documents say of it, is made from this.
type Permissions struct {
	Topics  []TopicAccess // those of the topology first, in its order
	Group   string        // the consumer group that it joins, without the prefix; empty: none
	Objects []ObjectAccess
}

// TopicAccess is what may be done with a topic, beside describing it.
type TopicAccess struct {
	Topic       Topic
	Read, Write bool
}

// ObjectAccess is what may be done with the objects of some keys: to read them,
// and to create them. Nobody overwrites or deletes.
type ObjectAccess struct {
	Keys  string // a pattern: * is any text, and AnyRun a run's id
	Write bool
}

// Users returns everyone who has permissions.
func Users() []Service { return append(Stages(), ModelService, Client) }

// Stages returns the services that run stages, in the order of a run.
func Stages() []Service {
	var stages []Service
	for _, t := range Topology {
		for _, s := range t.Consumers {
			if s != ModelService && !slices.Contains(stages, s) {
				stages = append(stages, s)
			}
		}
	}
	return stages
}

// Permissions returns what the service needs.
func (s Service) Permissions() Permissions {
	p := Permissions{Topics: s.topics(), Objects: s.objects()}
	switch {
	case s == Client:
		for _, of := range Stages() { // whose dead letters it has tried anew
			p.Topics = append(p.Topics, TopicAccess{of.RetryTopic(), false, true}, TopicAccess{of.DeadLetterTopic(), true, false})
		}
	case slices.Contains(Stages(), s):
		p.Topics = append(p.Topics, TopicAccess{s.RetryTopic(), true, true}, TopicAccess{s.DeadLetterTopic(), false, true})
		p.Group = string(s)
	}
	return p
}

// topics returns what the service does with those of the topology.
func (s Service) topics() []TopicAccess {
	var all []TopicAccess
	for _, t := range Topology {
		a := TopicAccess{t.Topic, slices.Contains(t.Consumers, s), slices.Contains(t.Producers, s)}
		if s == Client {
			a = TopicAccess{t.Topic, true, a.Write || len(t.Producers) == 0}
		}
		if a.Read || a.Write {
			all = append(all, a)
		}
	}
	return all
}

// What is kept where in the bucket.
const (
	datasets = "datasets/*"
	specs    = "specs/*"
	policies = "policies/*"
	registry = "registry/*"
	holdouts = "holdouts/*"
	letters  = "dlq/*" // what was done with dead letters
)

// Both are needed to score: the preprocessor and the model of a run. With
// several trials the model lies a folder deeper.
var (
	preprocessor = ArtifactKey(AnyRun, Featurizer, PreprocessorJSON)
	model        = ArtifactKey(AnyRun, Trainer, "*"+ModelText)
)

// cancelled is where the gate notes that a run was cancelled.
var cancelled = ArtifactKey(AnyRun, Gate, CancelledJSON)

func (s Service) objects() []ObjectAccess {
	switch s {
	case Client:
		return append(reading("runs/*", registry), writing(datasets, specs, policies, letters, ProbeKey)...)
	case Featurizer:
		return append(reading(datasets, cancelled), s.writes(specs, policies)...)
	case Trainer:
		return append(reading(ArtifactKey(AnyRun, Featurizer, "*"), cancelled), s.writes()...)
	case Evaluator: // the champion's artifacts, too
		return append(reading(specs, ArtifactKey(AnyRun, Featurizer, "*"), ArtifactKey(AnyRun, Trainer, "*"), cancelled, registry), s.writes()...)
	case Gate: // copies what it registers to MLflow, and shows the evaluation in its report
		return append(reading(policies, preprocessor, ArtifactKey(AnyRun, Trainer, "*"), ArtifactKey(AnyRun, Evaluator, "*")), s.writes(registry, holdouts)...)
	case Notifier: // reads events alone, and notes what it has sent
		return writing(ArtifactKey(AnyRun, s, "*"), ProbeKey)
	case ModelService:
		return reading(preprocessor, model)
	}
	return nil
}

// writes are the objects that a stage creates: more, its artifacts, and what it
// records of a run, also of a further round and of a failure. Which of MLflow's
// runs is the one is noted by whichever stage is first.
func (s Service) writes(more ...string) []ObjectAccess {
	return writing(append(more,
		ArtifactKey(AnyRun, s, "*"),
		"tracking/*/"+string(s)+".json", "tracking/*/"+string(s)+"-*.json", "tracking/*/mlflow/*",
		ProbeKey)...)
}

func reading(keys ...string) []ObjectAccess { return access(false, keys) }
func writing(keys ...string) []ObjectAccess { return access(true, keys) }

func access(write bool, keys []string) []ObjectAccess {
	all := make([]ObjectAccess, len(keys))
	for i, k := range keys {
		all[i] = ObjectAccess{k, write}
	}
	return all
}
