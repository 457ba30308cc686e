package notifier_test

import (
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/services/notifier"
)

// mailing returns the settings of the channel alone.
func mailing(kind string, m *mailbox) config.Notify {
	u := url.URL{Scheme: kind, Host: m.addr}
	if kind != "smtp+plain" {
		u.User = url.UserPassword(user, password)
	}
	return config.Notify{
		SMTPURL: config.Secret(u.String()), EmailFrom: "Churn <churn@example.com>", EmailTo: []string{"ops@example.com", "Ml Team <ml@example.com>"}, CA: m.ca,
	}
}

// However the connection is secured, the message arrives, and once.
func TestEmailArrives(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"smtp", "smtps", "smtp+plain"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			box := newMailbox(t, kind)
			n := start(t, memory.New("churn"), mailing(kind, box))
			r := record(t, promoted("request"))
			if got := n.run(t, r, r); len(got) > 0 {
				t.Errorf("published to %v\n%s", got, n.log)
			}
			mails := box.got()
			if len(mails) != 1 {
				t.Fatalf("%d mails\n%s", len(mails), n.log)
			}
			m := mails[0]
			if m.from != "churn@example.com" || !slices.Equal(m.to, []string{"ops@example.com", "ml@example.com"}) {
				t.Errorf("from %s to %v", m.from, m.to)
			}
			if secure := kind != "smtp+plain"; m.tls != secure || (m.user == user) != secure {
				t.Errorf("by TLS: %v, of user %q", m.tls, m.user)
			}
		})
	}
}

// A message is the same at each attempt; of hostile texts it has one line each, and
// nothing that a page would run.
func TestEmailGolden(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, "smtp+plain")
	for name, outcome := range outcomes {
		for range 2 { // two stores, as if the first had lost what was sent
			n := start(t, memory.New("churn"), mailing("smtp+plain", box))
			n.run(t, recordAt(t, outcome("request"), at))
		}
		mails := box.got()
		if len(mails) < 2 || mails[len(mails)-1].data != mails[len(mails)-2].data {
			t.Fatalf("%s: %d mails, and the last two differ", name, len(mails))
		}
		data := strings.ReplaceAll(mails[len(mails)-1].data, "\r\n", "\n")
		golden(t, name+".eml", []byte(data))
		checkMail(t, name, data)
	}
}

// checkMail reads the message as a mail reader does.
func checkMail(t *testing.T, name, data string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if m.Header.Get("Bcc") != "" || len(m.Header["Subject"]) != 1 {
		t.Errorf("%s: headers %v", name, m.Header)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{"text/plain", "text/html"} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatalf("%s: no %s: %v", name, want, err)
		}
		body, err := io.ReadAll(p)
		if err != nil || !strings.HasPrefix(p.Header.Get("Content-Type"), want) || len(body) == 0 {
			t.Errorf("%s: %s of %d bytes, %v", name, p.Header.Get("Content-Type"), len(body), err)
		}
		if want == "text/html" && strings.Contains(string(body), "<script") {
			t.Errorf("%s: the page runs\n%s", name, body)
		}
	}
}

// What a server refuses for now is sent later; what it refuses for good leaves a
// receipt that says so.
func TestEmailRefused(t *testing.T) {
	t.Parallel()
	busy := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted, come back"}
	never := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	for name, test := range map[string]struct {
		errors []*smtp.SMTPError
		broken *smtp.SMTPError
		mails  int
		result notifier.Result
	}{
		"busy":         {[]*smtp.SMTPError{busy, busy, busy}, nil, 1, notifier.Sent},
		"refused":      {[]*smtp.SMTPError{never}, nil, 0, notifier.Refused},
		"no recipient": {nil, never, 0, notifier.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := newMailbox(t, "smtp+plain", test.errors...)
			if test.broken != nil {
				box.broken["ml@example.com"] = test.broken
			}
			store := memory.New("churn")
			n := start(t, store, mailing("smtp+plain", box))
			r := record(t, promoted("request"))
			for _, topic := range n.run(t, r, r) {
				if topic != "churn.retry.notifier" {
					t.Errorf("published to %s", topic)
				}
			}
			got := receipts(t, store)[notifier.Email]
			if len(box.got()) != test.mails || len(got) != 1 || !strings.Contains(got[0], `"result": "`+string(test.result)+`"`) || n.count(t, test.result) != 1 {
				t.Errorf("%d mails, receipts %s\n%s", len(box.got()), got, n.log)
			}
		})
	}
}

// A server that does not offer TLS, or shows a certificate that nobody vouches for,
// is told nothing: neither a password nor a message.
func TestEmailNeedsTLS(t *testing.T) {
	t.Parallel()
	plain, strange := newMailbox(t, "smtp+plain"), newMailbox(t, "smtps")
	without := mailing("smtp", plain)
	unknown := mailing("smtps", strange)
	unknown.CA = ""
	for name, c := range map[string]config.Notify{"no TLS": without, "strange": unknown} {
		n := start(t, memory.New("churn"), c)
		topics := n.run(t, record(t, promoted("request")))
		if !slices.Contains(topics, "churn.dlq.notifier") || len(plain.got())+len(strange.got()) > 0 {
			t.Errorf("%s: published to %v", name, topics)
		}
		if strings.Contains(n.log.String(), password) || strings.Contains(n.log.String(), url.QueryEscape(password)) {
			t.Errorf("%s: the password is in the log", name)
		}
	}
}
