package test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// clusterStack starts broker and object store as processes of their own and
// returns a stack whose commands reach them through the environment only.
func clusterStack(t *testing.T) *aStack {
	parts := newStack(t)
	broker, store := freeAddr(t), freeAddr(t)
	parts.background("churnctl", "--env-file", "", "up", "--only", "broker", "--broker-addr", broker)
	parts.background("churnctl", "--env-file", "", "up", "--only", "store", "--store-addr", store)
	var credentials struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	}
	eventually(t, "the store's credentials", func() error {
		text, err := os.ReadFile(filepath.Join(parts.dir, "store", "credentials.json"))
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &credentials)
	})
	s := newStack(t, "KAFKA_BROKERS="+broker, "MLFLOW_S3_ENDPOINT_URL=http://"+store,
		"AWS_ACCESS_KEY_ID="+credentials.AccessKey, "AWS_SECRET_ACCESS_KEY="+credentials.SecretKey)
	return s
}

func TestSeparateProcessesGiveTheSameDigests(t *testing.T) {
	t.Parallel()
	alone := newStack(t)
	var one, four runDetail
	alone.want(0, &one, request("same")...)

	cluster := clusterStack(t)
	for _, service := range services {
		cluster.background(service)
	}
	cluster.want(0, &four, request("same")...)
	if !maps.Equal(one.digests(), four.digests()) {
		t.Errorf("digests differ:\n%v\n%v", one.digests(), four.digests())
	}
	compareStreams(t, unique(alone.stream()), unique(cluster.stream()))
}
