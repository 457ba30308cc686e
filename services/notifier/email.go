package notifier

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/asfotec/churn/pkg/churn"
)

// email sends one message to all recipients together.
type email struct {
	host      string
	options   []gomail.Option
	from      *mail.Address
	to        []*mail.Address
	templates *templates
}

// server is where e-mail goes.
type server struct {
	host     string
	port     int
	security security
	user     string
	password string // a secret
}

// security is how a connection to a mail server is.
type security int

const (
	startTLS security = iota // or not at all
	implicitTLS
	plain // and nobody logs in
)

func newEmail(s server, from *mail.Address, to []*mail.Address, trust *x509.CertPool, t *templates) Channel {
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(sendTimeout), gomail.WithHELO(domain(from)),
		gomail.WithTLSConfig(&tls.Config{ServerName: s.host, RootCAs: trust, MinVersion: tls.VersionTLS12}),
		gomail.WithoutNoop(), gomail.WithoutRset(),
	}
	switch s.security {
	case implicitTLS:
		options = append(options, gomail.WithSSL())
	case plain:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.user != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.user), gomail.WithPassword(s.password))
	}
	return &email{s.host, options, from, to, t}
}

func (*email) Name() string { return Email }

func (m *email) Send(ctx context.Context, id string, n *Notice) error {
	const op = "notifier.email"
	message, err := m.message(id, n)
	if err != nil {
		return err
	}
	client, err := gomail.NewClient(m.host, m.options...)
	if err != nil {
		return churn.E(op, churn.Invalid, err)
	}
	err = client.DialAndSendWithContext(ctx, message)
	if err == nil || message.IsDelivered() { // though the goodbye may have failed
		return nil
	}
	return smtpError(op, err)
}

// smtpError returns the error as a Channel's: a server says with 5xx that it will
// never take the message.
func smtpError(op string, err error) error {
	var s *gomail.SendError
	kind := churn.Internal
	if errors.As(err, &s) && s.ErrorCode() >= 500 {
		kind = churn.Invalid
	}
	return churn.Errorf(op, kind, "%s", clean(err.Error(), maxText))
}

// message returns the message. It is the same at each attempt: by its Message-ID
// many servers and readers drop one that comes twice.
func (m *email) message(id string, n *Notice) (*gomail.Msg, error) {
	plain, page, err := m.templates.email(n)
	if err != nil {
		return nil, err
	}
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary("churn-"+id))
	message.FromMailAddress(m.from)
	message.ToMailAddress(m.to...)
	message.Subject("[churn] " + n.Title)
	message.SetMessageIDWithValue(id + "@" + domain(m.from))
	message.SetDateWithValue(n.Time)
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(gomail.TypeTextPlain, plain)
	message.AddAlternativeString(gomail.TypeTextHTML, page)
	return message, nil
}

func domain(a *mail.Address) string {
	return a.Address[strings.LastIndexByte(a.Address, '@')+1:]
}
