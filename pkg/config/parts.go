package config

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"time"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/bus/kafka"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/mlflow"
	"github.com/asfotec/churn/pkg/registry/objectstore"
)

// Bus returns the log of records that the configuration names. It does not
// connect. Errors are Invalid and name the setting.
func (c Config) Bus() (bus.Bus, error) {
	mechanism, err := c.Kafka.sasl()
	if err != nil {
		return nil, err
	}
	t, err := c.Kafka.tls()
	if err != nil {
		return nil, err
	}
	b, err := kafka.New(kafka.Config{
		Brokers:           c.Brokers,
		TLS:               t,
		SASL:              mechanism,
		ReplicationFactor: c.Kafka.ReplicationFactor,
		SessionTimeout:    c.Kafka.SessionTimeout,
		Log:               c.Log,
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Store returns the object store that the configuration names. It does not
// connect. Errors are Invalid and name the setting.
func (c Config) Store() (blob.Store, error) {
	s, err := c.store()
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (c Config) store() (*s3.Store, error) {
	config := s3.Config{
		Endpoint: c.S3Endpoint, AccessKey: c.S3AccessKey, SecretKey: string(c.S3SecretKey), Region: c.S3Region, Bucket: c.Bucket,
	}
	transport, err := c.s3Transport()
	if err != nil {
		return nil, err
	}
	config.Transport = transport
	return s3.New(config)
}

// s3Transport returns nil where the standard one will do.
func (c Config) s3Transport() (http.RoundTripper, error) {
	if c.S3CA == "" {
		return nil, nil
	}
	roots, err := pool("AWS_CA_BUNDLE", c.S3CA)
	if err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	t.DisableCompression = true // an object's bytes are what is hashed
	t.ResponseHeaderTimeout = time.Minute
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	return t, nil
}

// Registry returns the model registry and the tracker that the configuration
// names: MLflow's where MLFLOW_TRACKING_URI is set, otherwise those in the
// object store.
func (c Config) Registry(store blob.Store) (registry.Registry, registry.Tracker, error) {
	authority := objectstore.New(store)
	if c.TrackingURI == "" {
		return authority, objectstore.NewTracker(store), nil
	}
	client, err := c.mlflow()
	if err != nil {
		return nil, nil, err
	}
	return mlflow.New(client, store, authority), mlflow.NewTracker(client, store), nil
}

func (k Kafka) sasl() (sasl.Mechanism, error) {
	const op = "config.Bus"
	if k.Mechanism == "" {
		if k.Username != "" || k.Password != "" {
			return nil, churn.Errorf(op, churn.Invalid, "KAFKA_USERNAME or KAFKA_PASSWORD is set without KAFKA_SASL_MECHANISM")
		}
		return nil, nil
	}
	if k.Username == "" || k.Password == "" {
		return nil, churn.Errorf(op, churn.Invalid, "KAFKA_SASL_MECHANISM needs KAFKA_USERNAME and KAFKA_PASSWORD")
	}
	switch k.Mechanism {
	case "PLAIN":
		return plain.Mechanism{Username: k.Username, Password: string(k.Password)}, nil
	case "SCRAM-SHA-256":
		return mechanism(scram.SHA256, k)
	case "SCRAM-SHA-512":
		return mechanism(scram.SHA512, k)
	}
	return nil, churn.Errorf(op, churn.Invalid, "KAFKA_SASL_MECHANISM: there is no %q", k.Mechanism)
}

func mechanism(a scram.Algorithm, k Kafka) (sasl.Mechanism, error) {
	m, err := scram.Mechanism(a, k.Username, string(k.Password))
	if err != nil { // its message might quote the password
		return nil, churn.Errorf("config.Bus", churn.Invalid, "KAFKA_USERNAME or KAFKA_PASSWORD holds characters that SCRAM does not allow")
	}
	return m, nil
}

// tls returns nil where TLS is not asked for.
func (k Kafka) tls() (*tls.Config, error) {
	const op = "config.Bus"
	if !k.TLS && k.CA == "" && k.Cert == "" && k.Key == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if k.CA != "" {
		roots, err := pool("KAFKA_TLS_CA", k.CA)
		if err != nil {
			return nil, err
		}
		c.RootCAs = roots
	}
	if k.Cert == "" && k.Key == "" {
		return c, nil
	}
	if k.Cert == "" || k.Key == "" {
		return nil, churn.Errorf(op, churn.Invalid, "KAFKA_TLS_CERT and KAFKA_TLS_KEY go together")
	}
	cert, err := tls.LoadX509KeyPair(k.Cert, k.Key)
	if err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "KAFKA_TLS_CERT and KAFKA_TLS_KEY: %w", err)
	}
	c.Certificates = []tls.Certificate{cert}
	return c, nil
}

// Trust returns the authorities that the notifier checks certificates against: the
// system's, for Slack, and those of one's own mail server or webhook. Nil is the
// system's alone.
func (n Notify) Trust() (*x509.CertPool, error) {
	if n.CA == "" {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, churn.Errorf("config.Trust", churn.Invalid, "the system's authorities, beside NOTIFY_CA: %w", err)
	}
	return addTo(roots, "NOTIFY_CA", n.CA)
}

func pool(setting, file string) (*x509.CertPool, error) {
	return addTo(x509.NewCertPool(), setting, file)
}

func addTo(roots *x509.CertPool, setting, file string) (*x509.CertPool, error) {
	const op = "config.pool"
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "%s: %w", setting, err)
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, churn.Errorf(op, churn.Invalid, "%s: %s holds no certificate in PEM", setting, file)
	}
	return roots, nil
}
