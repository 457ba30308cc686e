package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"github.com/segmentio/kafka-go/sasl"

	"github.com/asfotec/churn/pkg/churn"
)

// probeTimeout bounds each step of a probe: to connect, and to be let in.
const probeTimeout = 2 * time.Second

// Ping implements bus.Admin. It connects anew, since a connection that is kept
// cannot tell whether the credentials are still good, and takes one step after
// the other, so that the error says which was refused. It asks each broker once.
func (b *Bus) Ping(ctx context.Context) error {
	c, err := b.probe(ctx)
	if err != nil {
		return b.fail("kafka.Ping", err)
	}
	return c.Close()
}

// probe returns a connection to the first broker that lets this client in. Of
// several errors the one that says that it is refused counts.
func (b *Bus) probe(ctx context.Context) (c *protocol.Conn, err error) {
	for _, addr := range b.config.Brokers {
		c, failed := b.enter(ctx, addr)
		if failed == nil {
			return c, nil
		}
		if err == nil || (denial(err) == "" && denial(failed) != "") {
			err = failed
		}
	}
	return nil, err
}

// enter connects to one broker, by TLS and with a user as configured, and asks
// for something that only those who were let in are told.
func (b *Bus) enter(ctx context.Context, addr string) (_ *protocol.Conn, err error) {
	c, err := b.connect(ctx, addr, b.config.TLS)
	if err != nil {
		return nil, b.explain(ctx, addr, err)
	}
	defer func() {
		if err != nil {
			_ = c.Close()
		}
	}()
	if err := c.SetDeadline(deadline(ctx)); err != nil {
		return nil, err
	}
	if b.config.SASL != nil {
		if err := authenticate(ctx, c, addr, b.config.SASL); err != nil {
			return nil, err
		}
	}
	_, err = c.RoundTrip(&metadata.Request{TopicNames: []string{}})
	if closed(err) && b.config.SASL == nil && b.wantsSASL(ctx, addr) {
		return nil, denied{asksSASL, err}
	}
	return c, err
}

// deadline returns the end of the next step.
func deadline(ctx context.Context) time.Time {
	end := time.Now().Add(probeTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		return d
	}
	return end
}

// connect connects, by TLS unless t is nil, and agrees on the versions of the
// protocol.
func (b *Bus) connect(ctx context.Context, addr string, t *tls.Config) (_ *protocol.Conn, err error) {
	end := deadline(ctx)
	conn, err := (&net.Dialer{Deadline: end}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	if err := conn.SetDeadline(end); err != nil {
		return nil, err
	}
	if t != nil {
		t = t.Clone()
		if t.ServerName == "" {
			t.ServerName, _, _ = net.SplitHostPort(addr)
		}
		conn = tls.Client(conn, t)
	}
	c := protocol.NewConn(conn, b.config.ClientID)
	m, err := c.RoundTrip(new(apiversions.Request))
	if err != nil {
		return nil, err
	}
	res := m.(*apiversions.Response)
	if res.ErrorCode != 0 {
		return nil, kafka.Error(res.ErrorCode)
	}
	versions := make(map[protocol.ApiKey]int16, len(res.ApiKeys))
	for _, k := range res.ApiKeys {
		versions[protocol.ApiKey(k.ApiKey)] = protocol.ApiKey(k.ApiKey).SelectVersion(k.MinVersion, k.MaxVersion)
	}
	c.SetVersions(versions)
	return c, nil
}

// explain finds out whether a connection that led nowhere would have held with
// TLS, or without: brokers close what they do not understand without a word, or
// wait for more of it.
func (b *Bus) explain(ctx context.Context, addr string, err error) error {
	if !closed(err) && !silent(err) {
		return err
	}
	other, why := (*tls.Config)(nil), notTLS
	if b.config.TLS == nil {
		other, why = &tls.Config{InsecureSkipVerify: true}, onlyTLS //nolint:gosec // nothing is said on it
	}
	c, failed := b.connect(ctx, addr, other)
	if failed == nil {
		_ = c.Close()
	}
	// A broker that asks for a client's certificate says so by an alert.
	if failed == nil || denial(failed) == badCert {
		return denied{why, err}
	}
	return err
}

// closed reports whether the other side ended the connection.
func closed(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		(errors.As(err, &op) && op.Op != "dial" && op.Op != "remote error" && !op.Timeout())
}

// silent reports whether the other side took the connection and said nothing.
func silent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "read" && op.Timeout()
}

// wantsSASL reports whether the broker offers ways of letting users in, which
// it does only where it asks for one.
func (b *Bus) wantsSASL(ctx context.Context, addr string) bool {
	c, err := b.connect(ctx, addr, b.config.TLS)
	if err != nil {
		return false
	}
	defer c.Close()
	m, err := c.RoundTrip(&saslhandshake.Request{})
	return err == nil && len(m.(*saslhandshake.Response).Mechanisms) > 0
}

// authenticate lets the user in.
func authenticate(ctx context.Context, c *protocol.Conn, addr string, mechanism sasl.Mechanism) error {
	m, err := c.RoundTrip(&saslhandshake.Request{Mechanism: mechanism.Name()})
	if err != nil {
		return err
	}
	if code := m.(*saslhandshake.Response).ErrorCode; code != 0 {
		return kafka.Error(code)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	session, say, err := mechanism.Start(sasl.WithMetadata(ctx, &sasl.Metadata{Host: host, Port: number}))
	if err != nil {
		return err
	}
	for done := false; !done; {
		m, err := c.RoundTrip(&saslauthenticate.Request{AuthBytes: say})
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // how some refuse
			return kafka.SASLAuthenticationFailed
		}
		if err != nil {
			return err
		}
		res := m.(*saslauthenticate.Response)
		if res.ErrorCode != 0 {
			return kafka.Error(res.ErrorCode)
		}
		if done, say, err = session.Next(ctx, res.AuthBytes); err != nil {
			// Of SCRAM: the broker could not prove that it knows the password.
			return churn.Errorf("kafka.Ping", churn.Denied, "broker at %s does not know the user's password (KAFKA_USERNAME, KAFKA_PASSWORD): %w", addr, err)
		}
	}
	return nil
}
