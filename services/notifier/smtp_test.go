package notifier_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const (
	user     = "churn@example.com"
	password = "p/ss:w@rd"
)

// mailbox is a mail server that keeps what it is sent. It wants a login if it has
// TLS, and answers to messages with the errors that it was given, in turn.
type mailbox struct {
	addr string
	ca   string // PEM file

	mu     sync.Mutex
	mails  []sentMail
	errors []*smtp.SMTPError
	broken map[string]*smtp.SMTPError // by recipient
}

type sentMail struct {
	from string
	to   []string
	data string
	tls  bool
	user string
}

func newMailbox(t testing.TB, kind string, errors ...*smtp.SMTPError) *mailbox {
	t.Helper()
	m := &mailbox{errors: errors, broken: map[string]*smtp.SMTPError{}}
	s := smtp.NewServer(m)
	s.Domain, s.ErrorLog = "localhost", silent{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = l.Addr().String()
	if kind != "smtp+plain" {
		var c *tls.Config
		c, m.ca = certificate(t)
		s.TLSConfig = c
		if kind == "smtps" {
			l = tls.NewListener(l, c)
		}
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return m
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

func (m *mailbox) got() []sentMail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.mails)
}

func (m *mailbox) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, secure := c.TLSConnectionState()
	return &session{box: m, mail: sentMail{tls: secure}, login: m.ca != ""}, nil
}

type session struct {
	box   *mailbox
	mail  sentMail
	login bool // is wanted
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, word string) error {
		if name != user || word != password {
			return smtp.ErrAuthFailed
		}
		s.mail.user = name
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.login && s.mail.user == "" {
		return smtp.ErrAuthRequired
	}
	s.mail.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.box.broken[to]; err != nil {
		return err
	}
	s.mail.to = append(s.mail.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.data = string(data)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	if len(s.box.errors) > 0 {
		err := s.box.errors[0]
		s.box.errors = s.box.errors[1:]
		return err
	}
	s.box.mails = append(s.box.mails, s.mail)
	return nil
}

func (s *session) Reset()        { s.mail.from, s.mail.to, s.mail.data = "", nil, "" }
func (s *session) Logout() error { return nil }

// certificate returns a server's certificate for 127.0.0.1, and the PEM file of who
// vouches for it: itself.
func certificate(t testing.TB) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP("127.0.0.1")}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, file
}
