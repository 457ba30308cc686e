package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/config"
)

// file writes a file of the test's.
func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate makes a certificate and its key, as PEM files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		file(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func TestBus(t *testing.T) {
	cert, key := certificate(t)
	_, otherKey := certificate(t)
	junk := file(t, "junk.pem", []byte("hunter2"))
	const gone = "/no/such/file.pem"
	for name, test := range map[string]struct {
		kafka config.Kafka
		say   []string // nil: it is right
	}{
		"plain":                {config.Kafka{}, nil},
		"TLS":                  {config.Kafka{TLS: true}, nil},
		"CA":                   {config.Kafka{CA: cert}, nil},
		"client certificate":   {config.Kafka{Cert: cert, Key: key}, nil},
		"PLAIN":                {config.Kafka{Mechanism: "PLAIN", Username: "u", Password: "p"}, nil},
		"SCRAM-SHA-256":        {config.Kafka{Mechanism: "SCRAM-SHA-256", Username: "u", Password: "p"}, nil},
		"SCRAM-SHA-512":        {config.Kafka{Mechanism: "SCRAM-SHA-512", Username: "u", Password: "p"}, nil},
		"CA is gone":           {config.Kafka{CA: gone}, []string{"KAFKA_TLS_CA", gone}},
		"CA is junk":           {config.Kafka{CA: junk}, []string{"KAFKA_TLS_CA", junk, "PEM"}},
		"no key":               {config.Kafka{Cert: cert}, []string{"KAFKA_TLS_CERT", "KAFKA_TLS_KEY"}},
		"no certificate":       {config.Kafka{Key: key}, []string{"KAFKA_TLS_CERT", "KAFKA_TLS_KEY"}},
		"key is gone":          {config.Kafka{Cert: cert, Key: gone}, []string{"KAFKA_TLS_KEY", gone}},
		"key is junk":          {config.Kafka{Cert: cert, Key: junk}, []string{"KAFKA_TLS_KEY"}},
		"another's key":        {config.Kafka{Cert: cert, Key: otherKey}, []string{"KAFKA_TLS_KEY"}},
		"no mechanism":         {config.Kafka{Username: "u", Password: "hunter2"}, []string{"KAFKA_SASL_MECHANISM"}},
		"password alone":       {config.Kafka{Password: "hunter2"}, []string{"KAFKA_SASL_MECHANISM"}},
		"no password":          {config.Kafka{Mechanism: "PLAIN", Username: "u"}, []string{"KAFKA_PASSWORD"}},
		"no user":              {config.Kafka{Mechanism: "PLAIN", Password: "hunter2"}, []string{"KAFKA_USERNAME"}},
		"unknown mechanism":    {config.Kafka{Mechanism: "X", Username: "u", Password: "hunter2"}, []string{"KAFKA_SASL_MECHANISM", `"X"`}},
		"characters for SCRAM": {config.Kafka{Mechanism: "SCRAM-SHA-512", Username: "u", Password: "hunter2\x00"}, []string{"KAFKA_PASSWORD", "characters"}},
	} {
		c := config.Config{Brokers: []string{"127.0.0.1:9092"}, Kafka: test.kafka}
		b, err := c.Bus()
		if test.say == nil {
			if err != nil || b == nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		bad(t, err, test.say...)
		if b != nil || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
	for _, brokers := range [][]string{nil, {"broker"}, {"a:1", "b:0"}} {
		b, err := config.Config{Brokers: brokers}.Bus()
		if bad(t, err, "KAFKA_BROKERS"); b != nil {
			t.Errorf("a bus of %v", brokers)
		}
	}
}

func TestStore(t *testing.T) {
	good := config.Config{S3Endpoint: "http://127.0.0.1:1", S3AccessKey: "a", S3SecretKey: "hunter2", Bucket: "b"}
	if _, err := good.Store(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*config.Config){
		"MLFLOW_S3_ENDPOINT_URL": func(c *config.Config) { c.S3Endpoint = "x" },
		"AWS_ACCESS_KEY_ID":      func(c *config.Config) { c.S3AccessKey = "" },
		"AWS_SECRET_ACCESS_KEY":  func(c *config.Config) { c.S3SecretKey = "" },
		"CHURN_BUCKET":           func(c *config.Config) { c.Bucket = "" },
		"AWS_CA_BUNDLE":          func(c *config.Config) { c.S3CA = "/no/such/file.pem" },
	} {
		c := good
		change(&c)
		s, err := c.Store()
		if bad(t, err, name); s != nil || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

// The store's certificate is checked against the bundle, and without it refused.
func TestStoreByTLS(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	bundle := file(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	c := config.Config{S3Endpoint: server.URL, S3AccessKey: "a", S3SecretKey: "s", S3Region: "us-east-1", Bucket: "models"}
	for ca, refused := range map[string]bool{"": true, bundle: false} {
		c.S3CA = ca
		s, err := c.Store()
		if err != nil {
			t.Fatal(err)
		}
		err = s.Ping(t.Context()) // there is no bucket
		if err == nil || strings.Contains(err.Error(), "certificate") != refused {
			t.Errorf("with the bundle %q: %v", ca, err)
		}
	}
}

func TestRegistryInTheStore(t *testing.T) {
	registry, tracker, err := config.Config{}.Registry(memory.New("churn"))
	if err != nil || registry == nil || tracker == nil {
		t.Fatalf("%v, %v: %v", registry, tracker, err)
	}
	if err := registry.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// Each set-up of MLflow is taken, or refused with the name of what is wrong.
func TestRegistryInMLflow(t *testing.T) {
	ca, _ := certificate(t)
	store := config.Config{S3Endpoint: "http://s3:9000", S3AccessKey: "a", S3SecretKey: "b", Bucket: "churn"}
	for name, test := range map[string]struct {
		uri    string
		mlflow config.MLflow
		say    []string // nil: it is right
	}{
		"open":                 {"http://mlflow:5000", config.MLflow{}, nil},
		"basic authentication": {"https://mlflow/at", config.MLflow{CA: ca, Username: "ada", Password: "hunter2"}, nil},
		"token":                {"https://mlflow", config.MLflow{Token: "hunter2"}, nil},
		"Databricks":           {config.Databricks, config.MLflow{DatabricksHost: "https://d", DatabricksToken: "hunter2"}, nil},
		"no password":          {"http://mlflow", config.MLflow{Username: "ada"}, []string{"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}},
		"two ways in":          {"http://mlflow", config.MLflow{Username: "ada", Password: "hunter2", Token: "hunter2"}, []string{"MLFLOW_TRACKING_TOKEN"}},
		"no authority":         {"https://mlflow", config.MLflow{CA: "/no/such/file.pem"}, []string{"MLFLOW_TRACKING_SERVER_CERT_PATH", "/no/such/file.pem"}},
		"no workspace":         {config.Databricks, config.MLflow{DatabricksToken: "hunter2"}, []string{"DATABRICKS_HOST"}},
		"no token":             {config.Databricks, config.MLflow{DatabricksHost: "https://d"}, []string{"DATABRICKS_TOKEN"}},
	} {
		c := store
		c.TrackingURI, c.MLflow = test.uri, test.mlflow
		_, _, err := c.Registry(memory.New("churn"))
		if test.say != nil {
			bad(t, err, test.say...)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
