package realstack_test

import (
	"net"
	"net/http"
	"testing"

	kafka "github.com/segmentio/kafka-go"

	"github.com/asfotec/churn/pkg/realstack"
)

// Parts answer, keep their data when they are stopped or killed, and do not
// answer in between.
func TestKafka(t *testing.T) {
	t.Parallel()
	b := realstack.Kafka(t, realstack.KafkaConfig{Secure: true, Users: map[string]string{"someone": "secret-password"}})
	client := &kafka.Client{Addr: kafka.TCP(b.Addr)}
	res, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "kept", NumPartitions: 1, ReplicationFactor: 1}}})
	if err != nil || res.Errors["kept"] != nil {
		t.Fatal(err, res)
	}
	b.Kill()
	if c, err := net.Dial("tcp", b.Addr); err == nil {
		_ = c.Close()
		t.Error("a broker that was killed answers")
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	m, err := client.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{"kept"}})
	if err != nil || len(m.Topics) != 1 || m.Topics[0].Error != nil {
		t.Errorf("the topic is gone: %v, %v", m, err)
	}
}

func TestMinIO(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]realstack.MinIOConfig{"plain": {}, "TLS": {TLS: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := realstack.MinIO(t, c)
			s.Stop()
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestMLflow(t *testing.T) {
	t.Parallel()
	m := realstack.MLflow(t, realstack.MLflowConfig{Username: "admin", Password: "a-long-password"})
	for password, want := range map[string]int{"a-long-password": http.StatusOK, "another": http.StatusUnauthorized} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.URI+"/api/2.0/mlflow/experiments/get?experiment_id=0", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("admin", password)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("with the password %q the answer is %s, want %d", password, res.Status, want)
		}
	}
}
