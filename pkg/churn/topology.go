package churn

import "time"

// Topic is a topic's name without the configured prefix.
type Topic string

// The topics of the pipeline.
const (
	RetrainRequested  Topic = "retrain-requested"
	FeaturesReady     Topic = "features-ready"
	ModelTrained      Topic = "model-trained"
	ModelEvaluated    Topic = "model-evaluated"
	ApprovalRequested Topic = "approval-requested"
	ApprovalDecided   Topic = "approval-decided"
	RollbackRequested Topic = "rollback-requested"
	OverrideRequested Topic = "override-requested"
	CancelRequested   Topic = "cancel-requested"
	ModelPromoted     Topic = "model-promoted"
	ModelRejected     Topic = "model-rejected"
	RunFailed         Topic = "run-failed"
	ModelCurrent      Topic = "model-current"
	RunProgress       Topic = "run-progress"
)

// DefaultPrefix goes before every topic's name unless configured otherwise.
const DefaultPrefix = "churn."

// Name returns the topic's name on the broker.
func (t Topic) Name(prefix string) string { return prefix + string(t) }

// Type returns the CloudEvent type of the topic's events. The model-current
// table holds model-promoted events.
func (t Topic) Type() string {
	if t == ModelCurrent {
		t = ModelPromoted
	}
	return "com.asfotec.churn." + string(t) + ".v1"
}

// Key says what a record's key is, and so what is kept in order.
type Key string

// The keys.
const (
	ByRun   Key = "run id"
	ByTrial Key = "run id/trial"
	ByModel Key = "model"
)

// Service is the name of a service: its consumer group, its CloudEvent source
// (/asfotec/churn/<service>) and its part of the artifact keys.
type Service string

// The services.
const (
	Featurizer   Service = "featurizer"
	Trainer      Service = "trainer"
	Evaluator    Service = "evaluator"
	Gate         Service = "gate"
	Notifier     Service = "notifier"
	ModelService Service = "modelservice"
)

// ServingStage is the registry stage whose champion is served. Promotions to
// another stage are announced, but not in the table of what is current.
const ServingStage = "Production"

// TopicSpec is all there is to know about a topic. Provisioning, docs and
// tests are made from it.
type TopicSpec struct {
	Topic      Topic
	Message    string // protobuf message, under asfotec.churn.event.v1
	Key        Key
	Partitions int
	Retention  time.Duration // 0 keeps records for ever
	Compacted  bool
	Producers  []Service // empty: clients
	Consumers  []Service
	Doc        string
}

// Topology is every topic of the pipeline, in the order of a run.
var Topology = []TopicSpec{
	{RetrainRequested, "RetrainRequested", ByModel, 6, 0, false, nil, []Service{Featurizer},
		"Asks for one run. Anyone may publish it."},
	{FeaturesReady, "FeaturesReady", ByTrial, 12, 0, false, []Service{Featurizer, Evaluator}, []Service{Trainer},
		"Data validated, split and prepared; one event per trial. The evaluator lets the next trials begin, and sends the best of a rung to the next."},
	{ModelTrained, "ModelTrained", ByRun, 6, 0, false, []Service{Trainer, Gate}, []Service{Evaluator},
		"A trial has come to a model, or failed. The gate sends it back here when the champion has changed since the evaluation."},
	{ModelEvaluated, "ModelEvaluated", ByModel, 6, 0, false, []Service{Evaluator}, []Service{Gate},
		"The candidate's hold-out metrics, beside the champion's on the same rows."},
	{ApprovalRequested, "ApprovalRequested", ByModel, 6, 0, false, []Service{Gate}, []Service{Gate, Notifier},
		"A person must decide before the promotion. The gate reads it to see when the request lapses."},
	{ApprovalDecided, "ApprovalDecided", ByModel, 6, 0, false, []Service{Client, Gate}, []Service{Gate, Notifier},
		"A person's answer, or the gate's that nobody answered in time."},
	{RollbackRequested, "RollbackRequested", ByModel, 6, 0, false, nil, []Service{Gate},
		"A person asks for a former version."},
	{OverrideRequested, "OverrideRequested", ByModel, 6, 0, false, nil, []Service{Gate},
		"A person asks for the promotion of a candidate that was rejected."},
	{CancelRequested, "CancelRequested", ByModel, 6, 0, false, nil, []Service{Gate},
		"A person asks for the end of a run. The gate notes it, and whichever service is given the run next ends it."},
	{ModelPromoted, "ModelPromoted", ByModel, 6, 0, false, []Service{Gate}, []Service{Notifier, ModelService},
		"A version is now in production. Ends the run."},
	{ModelRejected, "ModelRejected", ByModel, 6, 0, false, []Service{Gate}, []Service{Notifier},
		"The candidate was not promoted, with every rule and its verdict. Ends the run."},
	{RunFailed, "RunFailed", ByModel, 6, 0, false, []Service{Featurizer, Trainer, Evaluator, Gate}, []Service{Notifier},
		"The run could not be finished, and why. Ends the run."},
	{ModelCurrent, "ModelPromoted", ByModel, 1, 0, true, []Service{Gate}, []Service{ModelService},
		"The newest promotion of each model, compacted, for consumers that start cold."},
	{RunProgress, "RunProgress", ByRun, 1, 24 * time.Hour, false, []Service{Featurizer, Trainer, Evaluator, Gate}, nil,
		"Telemetry: lossy, kept for a day, not part of the log."},
}

// Spec returns the topic's entry in the Topology.
func (t Topic) Spec() (TopicSpec, bool) {
	for _, s := range Topology {
		if s.Topic == t {
			return s, true
		}
	}
	return TopicSpec{}, false
}

// Source returns the CloudEvent source of the service's events.
func (s Service) Source() string { return "/asfotec/churn/" + string(s) }

// RetryTopic holds records of the service's group that wait to be tried again.
func (s Service) RetryTopic() Topic { return Topic("retry." + string(s)) }

// DeadLetterTopic holds records that the service's group has given up on.
func (s Service) DeadLetterTopic() Topic { return Topic("dlq." + string(s)) }
