package test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/realstack"
)

// stormParts are the processes that a storm goes over.
type stormParts struct {
	stack         *aStack
	services      []*stormProcess // two of each
	broker, store *stormProcess
	registry      *stormProcess    // MLflow; nil: the store is the registry
	links         map[string]*link // to these
	disk          *smallDisk       // of the store; nil if none could be had
}

// stormProcess is one process by name.
type stormProcess struct {
	*realstack.Process
	name string
	http string // address of its metrics; empty: none
}

func startStormParts(t *testing.T, c stormConfig) *stormParts {
	t.Helper()
	p := &stormParts{links: map[string]*link{}}
	var env []string
	switch c.Parts {
	case "embedded":
		env = p.embedded(t)
	case "real":
		env = p.real(t)
	default:
		t.Fatalf("parts is %q: it is embedded or real", c.Parts)
	}
	if c.MLflow {
		env = append(env, p.mlflow(t))
	}
	p.stack = newStack(t, append(env, "LOG_LEVEL=warn", "KAFKA_SESSION_TIMEOUT=6s")...)
	for _, name := range services {
		for range 2 {
			http := freeAddr(t)
			run := realstack.Run(t, name, func() *exec.Cmd {
				cmd := p.stack.command(name, "--env-file", "")
				cmd.Env = append(cmd.Env, "HTTP_ADDR="+http)
				return cmd
			}, atOnce)
			p.services = append(p.services, &stormProcess{run, name, http})
		}
	}
	return p
}

// atOnce takes a service to be there as soon as it runs: what it needs may be
// away.
func atOnce(context.Context) error { return nil }

// embedded starts the broker and the store of the embedded default as processes.
func (p *stormParts) embedded(t *testing.T) []string {
	parts := newStack(t)
	broker, store := freeAddr(t), freeAddr(t)
	start := func(name, addr string) *stormProcess {
		return &stormProcess{realstack.Run(t, name, func() *exec.Cmd {
			return parts.command("churnctl", "--env-file", "", "up", "--only", name, "--"+name+"-addr", addr)
		}, listening(addr)), name, ""}
	}
	p.broker, p.store = start("broker", broker), start("store", store)
	var credentials struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	}
	text, err := os.ReadFile(filepath.Join(parts.dir, "store", "credentials.json"))
	if err == nil {
		err = json.Unmarshal(text, &credentials)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.links["store"] = newLink(t, freeAddr(t), store)
	return []string{
		"KAFKA_BROKERS=" + broker, "MLFLOW_S3_ENDPOINT_URL=http://" + p.links["store"].addr,
		"AWS_ACCESS_KEY_ID=" + credentials.AccessKey, "AWS_SECRET_ACCESS_KEY=" + credentials.SecretKey,
	}
}

// real starts Apache Kafka, which is told that clients come by the link, and
// MinIO.
func (p *stormParts) real(t *testing.T) []string {
	by := freeAddr(t)
	broker := realstack.Kafka(t, realstack.KafkaConfig{Properties: map[string]string{"advertised.listeners": "PLAIN://" + by}})
	var config realstack.MinIOConfig
	if disk, err := newSmallDisk(t, "10g"); err == nil {
		p.disk, config.Dir = disk, filepath.Join(disk.dir, "data")
	} else {
		t.Logf("no disk of the store's own, which could be full: %v", err)
	}
	store := realstack.MinIO(t, config)
	p.broker, p.store = &stormProcess{broker.Process, "broker", ""}, &stormProcess{store.Process, "store", ""}
	p.links["broker"] = newLink(t, by, broker.Addr)
	p.links["store"] = newLink(t, freeAddr(t), store.Endpoint[len("http://"):])
	return []string{
		"KAFKA_BROKERS=" + by, "MLFLOW_S3_ENDPOINT_URL=http://" + p.links["store"].addr,
		"AWS_ACCESS_KEY_ID=" + store.AccessKey, "AWS_SECRET_ACCESS_KEY=" + store.SecretKey,
	}
}

// mlflow starts an MLflow server, and returns the setting that makes it the
// registry.
func (p *stormParts) mlflow(t *testing.T) string {
	m := realstack.MLflow(t, realstack.MLflowConfig{})
	p.registry = &stormProcess{m.Process, "registry", ""}
	p.links["registry"] = newLink(t, freeAddr(t), m.URI[len("http://"):])
	return "MLFLOW_TRACKING_URI=http://" + p.links["registry"].addr
}

// listening returns a check that something listens on the address.
func listening(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

func cloneOf[M proto.Message](m M) M { return proto.CloneOf(m) }
