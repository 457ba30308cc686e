package notifier

import (
	"crypto/x509"
	"encoding/base64"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
)

// invalid is the error of a setting. What it says must not quote a secret.
func invalid(setting, format string, args ...any) error {
	return churn.Errorf("notifier.Build", churn.Invalid, setting+": "+format, args...)
}

// channels returns those that the settings name.
func channels(c config.Notify) ([]Channel, error) {
	t, err := newTemplates(c.Templates)
	if err != nil {
		return nil, err
	}
	trust, err := c.Trust()
	if err != nil {
		return nil, err
	}
	var all []Channel
	for _, of := range []func(config.Notify, *x509.CertPool, *templates) (Channel, error){slackOf, emailOf, webhookOf} {
		channel, err := of(c, trust, t)
		if err != nil {
			return nil, err
		}
		if channel != nil {
			all = append(all, channel)
		}
	}
	return all, nil
}

func slackOf(c config.Notify, trust *x509.CertPool, t *templates) (Channel, error) {
	if c.SlackURL == "" {
		return nil, nil
	}
	u, err := url.Parse(string(c.SlackURL))
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, invalid("NOTIFY_SLACK_URL", "it is not https://host/path: Slack shows it where the incoming webhook is made")
	}
	return newSlack(u.String(), trust, t), nil
}

func webhookOf(c config.Notify, trust *x509.CertPool, _ *templates) (Channel, error) {
	if c.WebhookURL == "" {
		if c.WebhookSecret != "" {
			return nil, invalid("NOTIFY_WEBHOOK_SECRET", "it is set without NOTIFY_WEBHOOK_URL")
		}
		return nil, nil
	}
	u, err := url.Parse(string(c.WebhookURL))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, invalid("NOTIFY_WEBHOOK_URL", "it is not http(s)://host/path")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(c.WebhookSecret), "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, invalid("NOTIFY_WEBHOOK_SECRET", "it is not whsec_ and 24 to 64 bytes in base64: echo whsec_$(openssl rand -base64 32) makes one")
	}
	return newWebhook(u.String(), key, trust), nil
}

func emailOf(c config.Notify, trust *x509.CertPool, t *templates) (Channel, error) {
	if c.SMTPURL == "" {
		if c.EmailFrom != "" || len(c.EmailTo) > 0 {
			return nil, invalid("NOTIFY_SMTP_URL", "it is not set, and NOTIFY_EMAIL_FROM or NOTIFY_EMAIL_TO is")
		}
		return nil, nil
	}
	s, err := serverOf(string(c.SMTPURL))
	if err != nil {
		return nil, err
	}
	from, err := mail.ParseAddress(c.EmailFrom)
	if err != nil {
		return nil, invalid("NOTIFY_EMAIL_FROM", "%q is no address: %v", c.EmailFrom, err)
	}
	if len(c.EmailTo) == 0 {
		return nil, invalid("NOTIFY_EMAIL_TO", "it is not set, and NOTIFY_SMTP_URL is")
	}
	var to []*mail.Address
	for _, a := range c.EmailTo {
		address, err := mail.ParseAddress(a)
		if err != nil {
			return nil, invalid("NOTIFY_EMAIL_TO", "%q is no address: %v", a, err)
		}
		to = append(to, address)
	}
	return newEmail(s, from, to, trust, t), nil
}

// securities are what the schemes of NOTIFY_SMTP_URL mean, and their ports.
var securities = map[string]struct {
	security security
	port     int
}{
	"smtp": {startTLS, 587}, "smtps": {implicitTLS, 465}, "smtp+plain": {plain, 25},
}

func serverOf(setting string) (server, error) {
	const name = "NOTIFY_SMTP_URL"
	u, err := url.Parse(setting)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return server{}, invalid(name, "it is not smtp://user:password@host:port; characters that a URL gives a meaning are written as %%40 and such")
	}
	known, ok := securities[u.Scheme]
	if !ok {
		return server{}, invalid(name, "its scheme is none of smtp (STARTTLS), smtps (TLS) and smtp+plain (neither)")
	}
	s := server{host: u.Hostname(), port: known.port, security: known.security}
	if u.Port() != "" {
		if s.port, err = strconv.Atoi(u.Port()); err != nil || s.port < 1 || s.port > 65535 {
			return server{}, invalid(name, "its port is none from 1 to 65535")
		}
	}
	if u.User != nil {
		s.user = u.User.Username()
		s.password, _ = u.User.Password()
		if s.security == plain {
			return server{}, invalid(name, "smtp+plain would send the password for everybody to read: use smtp or smtps")
		}
		if s.user == "" || s.password == "" {
			return server{}, invalid(name, "user and password go together")
		}
	}
	return s, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// routes returns the channels that are told of each outcome: all, unless the
// setting names the outcome. It reads "failed=slack,email rejected=".
func routes(setting string, all []Channel) (map[Outcome][]Channel, error) {
	const name = "NOTIFY_ROUTES"
	by := map[Outcome][]Channel{}
	for _, o := range Outcomes {
		by[o] = all
	}
	named := map[Outcome]bool{}
	for _, route := range strings.Fields(setting) {
		outcome, to, ok := strings.Cut(route, "=")
		o := Outcome(outcome)
		if !ok || !slices.Contains(Outcomes, o) {
			return nil, invalid(name, "%.200q is not <outcome>=<channel>,<channel>: the outcomes are %v", route, Outcomes)
		}
		if named[o] {
			return nil, invalid(name, "%s is there twice", o)
		}
		named[o], by[o] = true, nil
		for c := range strings.SplitSeq(to, ",") {
			if c == "" {
				continue
			}
			i := slices.IndexFunc(all, func(k Channel) bool { return k.Name() == c })
			if i < 0 {
				return nil, invalid(name, "%.200q names %q, which is not set up: the channels are %v", route, c, names(all))
			}
			if !slices.Contains(by[o], all[i]) {
				by[o] = append(by[o], all[i])
			}
		}
	}
	return by, nil
}

func names(channels []Channel) []string {
	all := make([]string, len(channels))
	for i, c := range channels {
		all[i] = c.Name()
	}
	return all
}
