package test

import (
	"os/exec"
	"testing"

	"github.com/asfotec/churn/pkg/realstack"
)

// services are the four, in the order of a run.
var services = []string{"featurizer", "trainer", "evaluator", "gate"}

// kinds of stack that every scenario holds on. begin starts what the scenarios
// share, and returns what makes one scenario's own stack, whose name is of
// letters and dashes.
var kinds = []struct {
	name  string
	begin func(t *testing.T) func(t *testing.T, name string) *aStack
}{
	{"embedded", func(*testing.T) func(*testing.T, string) *aStack {
		return func(t *testing.T, _ string) *aStack { return newStack(t) }
	}},
	{"real", func(t *testing.T) func(*testing.T, string) *aStack {
		parts := startParts(t)
		return func(t *testing.T, name string) *aStack { return parts.stack(t, name).aStack }
	}},
}

// realParts are Apache Kafka, MinIO and MLflow.
type realParts struct {
	kafka  *realstack.Broker
	store  *realstack.Store
	mlflow *realstack.Tracking
}

func startParts(t *testing.T) realParts {
	t.Helper()
	return realParts{
		kafka:  realstack.Kafka(t, realstack.KafkaConfig{}),
		store:  realstack.MinIO(t, realstack.MinIOConfig{}),
		mlflow: realstack.MLflow(t, realstack.MLflowConfig{}),
	}
}

// realStack is a stack of four processes on real parts.
type realStack struct {
	*aStack
	processes map[string]*exec.Cmd // by service
}

// stack starts the services on the parts, with topics, a bucket, a model and an
// experiment of their own: named so, or as is the default where name is empty.
func (p realParts) stack(t *testing.T, name string) realStack {
	t.Helper()
	env := []string{
		"KAFKA_BROKERS=" + p.kafka.Addr, "MLFLOW_TRACKING_URI=" + p.mlflow.URI,
		"MLFLOW_S3_ENDPOINT_URL=" + p.store.Endpoint, "AWS_ACCESS_KEY_ID=" + p.store.AccessKey, "AWS_SECRET_ACCESS_KEY=" + p.store.SecretKey,
	}
	if name != "" {
		env = append(env, "CHURN_TOPIC_PREFIX="+name+".", "CHURN_BUCKET="+name, "MLFLOW_MODEL_NAME="+name, "MLFLOW_EXPERIMENT_NAME="+name)
	}
	s := realStack{newStack(t, env...), map[string]*exec.Cmd{}}
	for _, service := range services {
		s.processes[service] = s.background(service, "--env-file", "")
	}
	return s
}
