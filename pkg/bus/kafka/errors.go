package kafka

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/asfotec/churn/pkg/churn"
)

// fail gives err its kind, and says which setting to look at.
func (b *Bus) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *churn.Error
	if errors.As(err, &e) {
		return err
	}
	brokers := strings.Join(b.config.Brokers, ",")
	switch why := denial(err); {
	case why != "":
		return churn.Errorf(op, churn.Denied, "broker at %s %s: %w", brokers, why, err)
	case tooLarge(err):
		return churn.Errorf(op, churn.Invalid, "record too large for the broker (max.message.bytes): %w", err)
	case errors.Is(err, kafka.InvalidTopic), missing(err):
		return churn.Errorf(op, churn.Invalid, "unknown topic: %w", err)
	}
	return churn.Errorf(op, churn.Transient, "broker at %s (KAFKA_BROKERS): %w", brokers, err)
}

// missing reports whether a topic or partition is not there, or not yet known
// to the broker that was asked.
func missing(err error) bool {
	return churn.IsKind(err, churn.NotFound) || errors.Is(err, kafka.UnknownTopicOrPartition) ||
		errors.Is(err, protocol.ErrNoTopic) || errors.Is(err, protocol.ErrNoPartition)
}

func tooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}

// What a broker does that refuses, and the settings to look at.
const (
	notLetIn  = "does not let the user in: check KAFKA_USERNAME, KAFKA_PASSWORD and KAFKA_SASL_MECHANISM"
	notAllows = "does not allow the user of KAFKA_USERNAME this: its ACLs must (`churnctl doctor` says which)"
	notTLS    = "does not speak TLS: unset KAFKA_TLS, KAFKA_TLS_CA and KAFKA_TLS_CERT, or take its TLS port in KAFKA_BROKERS"
	onlyTLS   = "speaks TLS: set KAFKA_TLS=true, and KAFKA_TLS_CA if its certificate is by an authority of your own"
	asksSASL  = "asks for a user: set KAFKA_SASL_MECHANISM, KAFKA_USERNAME and KAFKA_PASSWORD"
	notSASL   = "knows no such way of letting users in: check KAFKA_SASL_MECHANISM"
	badCA     = "shows a certificate that is not trusted: check KAFKA_TLS_CA, and that KAFKA_BROKERS has the names in it"
	badCert   = "refuses this client's certificate: check KAFKA_TLS_CERT and KAFKA_TLS_KEY"
)

// denial says how the broker refuses this client; it is empty for other errors.
func denial(err error) string {
	var d denied
	var code kafka.Error
	var alert *net.OpError
	switch {
	case errors.As(err, &d):
		return d.why
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return badCA
	case errors.As(err, new(tls.RecordHeaderError)):
		return notTLS
	case errors.As(err, &alert) && alert.Op == "remote error": // as crypto/tls reports alerts
		return badCert
	case !errors.As(err, &code):
		return ""
	}
	switch code {
	case kafka.SASLAuthenticationFailed:
		return notLetIn
	case kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState:
		return notSASL
	case kafka.TopicAuthorizationFailed, kafka.GroupAuthorizationFailed, kafka.ClusterAuthorizationFailed:
		return notAllows
	}
	return ""
}

// denied is an error whose cause was found by asking in another way.
type denied struct {
	why string
	error
}

func (d denied) Unwrap() error { return d.error }

// uncreated is the error of topics that the user may not make. A broker hides
// topics that a user may not describe, so they may be there.
func (b *Bus) uncreated(topics []string) error {
	slices.Sort(topics)
	return churn.Errorf("kafka.create", churn.Denied,
		"topics are missing, or hidden from the user of KAFKA_USERNAME, who may not make any: %s: "+
			"make them with `churnctl topics apply`, let the user describe them, or correct CHURN_TOPIC_PREFIX",
		strings.Join(topics, ", "))
}
