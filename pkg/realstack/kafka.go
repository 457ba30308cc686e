package realstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	kafka "github.com/segmentio/kafka-go"
)

// KafkaConfig says what broker is wanted.
type KafkaConfig struct {
	// Secure adds a listener with TLS and SASL/SCRAM-SHA-512, and an authorizer
	// that allows what ACLs say and nothing else. The plain listener stays: who
	// comes by it is the super user.
	Secure bool
	// Users has the password of each SCRAM user.
	Users map[string]string
	// Properties are added to the broker's configuration.
	Properties map[string]string
}

// Broker is Apache Kafka: one node that is broker and controller.
type Broker struct {
	*Process
	Addr       string // host:port, plain
	SecureAddr string // host:port, SASL_SSL with SCRAM-SHA-512; empty unless Secure
	CAFile     string // PEM file of the authority of SecureAddr's certificate
}

// Kafka starts a broker.
func Kafka(t testing.TB, c KafkaConfig) *Broker {
	t.Helper()
	libs, err := installed("kafka")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b := &Broker{Addr: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	properties := b.properties(t, c, dir)
	file := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(file, []byte(properties), 0o600); err != nil {
		t.Fatal(err)
	}
	java := func(args ...string) *exec.Cmd {
		return exec.Command("java", append([]string{ //nolint:gosec // the test's own
			"-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
			"-cp", filepath.Join(libs, "*"),
		}, args...)...)
	}
	format := []string{"kafka.tools.StorageTool", "format", "-t", strings.ToLower(rand.Text()[:22]), "-c", file}
	for _, name := range sorted(c.Users) {
		format = append(format, "--add-scram", fmt.Sprintf("SCRAM-SHA-512=[name=%s,password=%s]", name, c.Users[name]))
	}
	if out, err := java(format...).CombinedOutput(); err != nil {
		t.Fatalf("formatting Kafka's storage: %v\n%s", err, out)
	}
	b.Process = &Process{
		name:    "kafka",
		command: func() *exec.Cmd { return java("kafka.Kafka", file) },
		healthy: b.healthy,
	}
	b.start(t)
	return b
}

func (b *Broker) properties(t testing.TB, c KafkaConfig, dir string) string {
	controller := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	p := map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          "1",
		"controller.quorum.voters":                         "1@" + controller,
		"controller.listener.names":                        "CONTROLLER",
		"inter.broker.listener.name":                       "PLAIN",
		"listener.security.protocol.map":                   "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
		"listeners":                                        "PLAIN://" + b.Addr + ",CONTROLLER://" + controller,
		"log.dirs":                                         filepath.Join(dir, "log"),
		"auto.create.topics.enable":                        "false",
		"group.initial.rebalance.delay.ms":                 "0",
		"offsets.topic.replication.factor":                 "1",
		"offsets.topic.num.partitions":                     "4",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
	}
	if c.Secure {
		b.secure(t, p, dir)
	}
	for name, value := range c.Properties {
		p[name] = value
	}
	var text strings.Builder
	for _, name := range sorted(p) {
		fmt.Fprintf(&text, "%s=%s\n", name, p[name])
	}
	return text.String()
}

func (b *Broker) secure(t testing.TB, p map[string]string, dir string) {
	certs := NewCertificates(t)
	b.CAFile = certs.CA
	b.SecureAddr = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	keystore := filepath.Join(dir, "keystore.pem") // the key, then its certificate
	var pem []byte
	for _, file := range []string{certs.Key, certs.Cert} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pem = append(pem, text...)
	}
	if err := os.WriteFile(keystore, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	p["listeners"] += ",SECURE://" + b.SecureAddr
	p["ssl.keystore.type"] = "PEM"
	p["ssl.keystore.location"] = keystore
	p["sasl.enabled.mechanisms"] = "SCRAM-SHA-512"
	p["listener.name.secure.scram-sha-512.sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
	p["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
	p["super.users"] = "User:ANONYMOUS"
}

func (b *Broker) healthy(ctx context.Context) error {
	client := &kafka.Client{Addr: kafka.TCP(b.Addr), Transport: &kafka.Transport{}}
	defer client.Transport.(*kafka.Transport).CloseIdleConnections()
	m, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err == nil && len(m.Brokers) == 0 {
		err = errors.New("it knows of no broker yet")
	}
	return err
}

func sorted(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
