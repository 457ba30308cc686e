package kafka_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
)

// ada may read t and the group g, and look at u.
var ada = kfake.User("PLAIN", "ada", "hunter2",
	kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: "t", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationRead, Allow: true},
	kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: "u", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationDescribe, Allow: true},
	kfake.ACL{Resource: kmsg.ACLResourceTypeGroup, Name: "g", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationRead, Allow: true},
)

// byAda lets ada in.
func byAda(c *kafka.Config) { c.SASL = plain.Mechanism{Username: "ada", Password: "hunter2"} }

// certificate returns one for 127.0.0.1, and what trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// Whatever is wrong between a client and a broker that is there, the error names
// the setting, is found at once, and is not taken for an outage.
func TestDenied(t *testing.T) {
	cert, trusted := certificate(t)
	_, others := certificate(t)
	byTLS := kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	forClients := kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted, MinVersion: tls.VersionTLS12,
	})
	with := func(pool *x509.CertPool) func(*kafka.Config) {
		return func(c *kafka.Config) { c.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12} }
	}
	for name, test := range map[string]struct {
		broker []kfake.Opt
		client func(*kafka.Config)
		names  string // empty: nothing is wrong
	}{
		"plain":               {nil, func(*kafka.Config) {}, ""},
		"TLS":                 {[]kfake.Opt{byTLS}, with(trusted), ""},
		"user":                {[]kfake.Opt{kfake.EnableSASL(), ada}, byAda, ""},
		"another authority":   {[]kfake.Opt{byTLS}, with(others), "KAFKA_TLS_CA"},
		"no TLS":              {[]kfake.Opt{byTLS}, func(*kafka.Config) {}, "KAFKA_TLS=true"},
		"TLS where none is":   {nil, with(trusted), "unset KAFKA_TLS"},
		"no certificate":      {[]kfake.Opt{forClients}, with(trusted), "KAFKA_TLS_CERT"},
		"no TLS, certificate": {[]kfake.Opt{forClients}, func(*kafka.Config) {}, "KAFKA_TLS=true"},
		"no user":             {[]kfake.Opt{kfake.EnableSASL(), ada}, func(*kafka.Config) {}, "KAFKA_SASL_MECHANISM"},
		"another mechanism": {[]kfake.Opt{kfake.EnableSASL(), ada}, func(c *kafka.Config) { c.SASL = renamed{plain.Mechanism{}} },
			"KAFKA_SASL_MECHANISM"},
		"wrong password": {[]kfake.Opt{kfake.EnableSASL(), ada}, func(c *kafka.Config) {
			c.SASL = plain.Mechanism{Username: "ada", Password: "wrong-hunter2"}
		}, "KAFKA_PASSWORD"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, addr := faulty(t, test.broker...)
			c := config(addr)
			test.client(&c)
			b, err := kafka.New(c)
			if err != nil {
				t.Fatal(err)
			}
			err = b.Ping(t.Context())
			if test.names == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !churn.IsKind(err, churn.Denied) || !strings.Contains(err.Error(), test.names) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error is %v, not Denied with %s", err, test.names)
			}
			if _, err := b.Inspect(t.Context(), nil, nil); !churn.IsKind(err, churn.Denied) {
				t.Errorf("Inspect: %v", err)
			}
		})
	}
}

// renamed is a mechanism that no broker knows.
type renamed struct{ plain.Mechanism }

func (renamed) Name() string { return "SECRET-HANDSHAKE" }

// A broker that is away is not one that refuses, also beside one that is there.
func TestAwayIsNotDenied(t *testing.T) {
	_, addr := faulty(t)
	c := config("127.0.0.1:1")
	b, err := kafka.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Ping(t.Context()); !churn.IsKind(err, churn.Transient) || !strings.Contains(err.Error(), "KAFKA_BROKERS") {
		t.Errorf("error is %v, not Transient with KAFKA_BROKERS", err)
	}
	c.Brokers = append(c.Brokers, addr)
	if b, err = kafka.New(c); err != nil {
		t.Fatal(err)
	}
	if err := b.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// What a user may do is told without doing it.
func TestInspect(t *testing.T) {
	t.Parallel()
	_, addr := faulty(t, kfake.EnableSASL(), kfake.EnableACLs(), ada, kfake.SeedTopics(1, "u", "hidden"), kfake.ClusterID("c1"))
	c := config(addr)
	byAda(&c)
	b, err := kafka.New(c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Inspect(t.Context(), []string{"t", "u", "hidden"}, []string{"g", "h"})
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != "c1" || len(got.Brokers) != 1 || got.Brokers[0] != addr {
		t.Errorf("the cluster is %+v", got)
	}
	for name, want := range map[string]bus.Rights{"t": {Describe: true, Read: true}, "u": {Describe: true}, "hidden": {}} {
		if got, there := got.Topics[name]; !there || got != want {
			t.Errorf("rights on %s are %+v, want %+v", name, got, want)
		}
	}
	for name, want := range map[string]bus.Rights{"g": {Describe: true, Read: true}, "h": {}} {
		if got := got.Groups[name]; got != want {
			t.Errorf("rights on the group %s are %+v, want %+v", name, got, want)
		}
	}
	// Nor may ada make topics, and is told which setting to look at.
	err = b.Ensure(t.Context(), bus.TopicConfig{Name: "new", Partitions: 1})
	for _, words := range []string{"new", "KAFKA_USERNAME", "CHURN_TOPIC_PREFIX", "churnctl topics apply"} {
		if !churn.IsKind(err, churn.Denied) || !strings.Contains(err.Error(), words) {
			t.Errorf("error is %v, not Denied with %q", err, words)
		}
	}
}
