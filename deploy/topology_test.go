package deploy

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stage"
)

const topologyFile = "helm/churn/files/topology.yaml"

// topology is what the chart makes topics and users from. Names are without the
// prefix.
type topology struct {
	Topics []topic                   `json:"topics"`
	Users  map[churn.Service][]right `json:"users"`
}

type topic struct {
	Name       string         `json:"name"`
	Partitions int            `json:"partitions"`
	Config     map[string]any `json:"config"`
}

// right is what a user may do to a resource of Kafka.
type right struct {
	Type       string   `json:"type"`
	Name       string   `json:"name"`
	Pattern    string   `json:"pattern"` // literal or prefix
	Operations []string `json:"operations"`
}

// The chart's topics and rights are those of the code: go test . -update accepts
// new ones.
func TestTheChartHasTheTopology(t *testing.T) {
	want, err := yaml.Marshal(fromCode())
	if err != nil {
		t.Fatal(err)
	}
	want = append([]byte("# Made from the topology in pkg/churn by `go test . -update` in deploy/.\n"), want...)
	if *update {
		if err := os.WriteFile(topologyFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, topologyFile); !bytes.Equal(got, want) {
		t.Errorf("%s is not what the code says: run go test . -update in deploy/\n--- file\n%s--- code\n%s", topologyFile, got, want)
	}
}

func fromCode() topology {
	made := topology{Users: map[churn.Service][]right{}}
	for _, c := range stage.Topics("") {
		made.Topics = append(made.Topics, topic{c.Name, c.Partitions, topicConfig(c)})
	}
	for _, s := range append(churn.Stages(), churn.ModelService) {
		made.Users[s] = rights(s)
	}
	return made
}

// topicConfig is the configuration of Kafka that the bus gives the topic.
func topicConfig(c bus.TopicConfig) map[string]any {
	config := map[string]any{}
	if c.MaxBytes > 0 {
		config["max.message.bytes"] = c.MaxBytes
	}
	if c.Compacted {
		config["cleanup.policy"] = "compact"
		return config
	}
	config["cleanup.policy"], config["retention.ms"], config["retention.bytes"] = "delete", -1, -1
	if c.Retention > 0 {
		config["retention.ms"] = c.Retention.Milliseconds()
	}
	return config
}

// rights are what the service needs of Kafka: to read what it consumes in its
// group, and to write what it produces. Either lets it describe, too.
func rights(s churn.Service) []right {
	var all []right
	p := s.Permissions()
	for _, t := range p.Topics {
		var operations []string
		if t.Read {
			operations = append(operations, "Read")
		}
		if t.Write {
			operations = append(operations, "Write")
		}
		all = append(all, right{"topic", string(t.Topic), "literal", operations})
	}
	if p.Group != "" {
		all = append(all, right{"group", p.Group, "literal", []string{"Read"}})
	}
	return all
}

// The policies are those of the code, for the bucket of the name that it has by
// default: go test . -update accepts new ones.
func TestTheBucketPoliciesAreOfTheCode(t *testing.T) {
	var want []string
	for _, s := range churn.Users() {
		file := filepath.Join("minio", string(s)+".json")
		want = append(want, file)
		policy := s3.Policy("churn", s.Permissions().Objects)
		if *update {
			if err := os.WriteFile(file, policy, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := read(t, file); !bytes.Equal(got, policy) {
			t.Errorf("%s is not what the code says: run go test . -update in deploy/", file)
		}
	}
	slices.Sort(want)
	if files, err := filepath.Glob("minio/*"); err != nil || !slices.Equal(files, want) {
		t.Errorf("there are %v, %v", files, err)
	}
}

// KEDA must not be let to start more trainers than partitions, nor the default do so.
func TestMoreTrainersThanPartitionsAreRefused(t *testing.T) {
	t.Parallel()
	spec, _ := churn.FeaturesReady.Spec()
	values := func(most int) string {
		return leastValues + fmt.Sprintf("trainerAutoscaling: {enabled: true, maxReplicas: %d}\n", most)
	}
	if _, err := render(t, values(spec.Partitions)); err != nil {
		t.Error(err)
	}
	_, err := render(t, values(spec.Partitions+1))
	wantError(t, err, "trainerAutoscaling.maxReplicas", strconv.Itoa(spec.Partitions)+" partitions")
}
