package notifier_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/services/notifier"
)

// What is wrong with a setting is said by its name, without what may be a secret.
func TestSettings(t *testing.T) {
	t.Parallel()
	const from, to = "churn@example.com", "ops@example.com"
	folder := func(name, text string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	mailTo := func(url string) config.Notify {
		return config.Notify{SMTPURL: config.Secret(url), EmailFrom: from, EmailTo: []string{to}}
	}
	for want, c := range map[string]config.Notify{
		"":                                         {},
		"NOTIFY_SLACK_URL: it is not https":        {SlackURL: "http://hooks.slack.com/services/hunter2"},
		"NOTIFY_SLACK_URL: it is not":              {SlackURL: "hunter2"},
		"NOTIFY_WEBHOOK_URL: it is not http":       {WebhookURL: "ftp://hunter2", WebhookSecret: secret},
		"NOTIFY_WEBHOOK_SECRET: it is not whsec_":  {WebhookURL: "https://example.com/hunter2", WebhookSecret: "hunter2"},
		"NOTIFY_WEBHOOK_SECRET: it is set without": {WebhookSecret: "hunter2"},
		"its scheme is none of":                    mailTo("http://churn:hunter2@example.com"),
		"its port is none":                         mailTo("smtp://churn:hunter2@example.com:99999"),
		"it is not smtp://user:password":           mailTo("smtp://churn:hunter2%@example.com"),
		"for everybody to read":                    mailTo("smtp+plain://churn:hunter2@example.com"),
		"user and password go together":            mailTo("smtp://hunter2@example.com"),
		"NOTIFY_SMTP_URL: it is not set":           {EmailFrom: from},
		"NOTIFY_EMAIL_FROM: \"\" is no address":    {SMTPURL: "smtp://example.com", EmailTo: []string{to}},
		"NOTIFY_EMAIL_TO: it is not set":           {SMTPURL: "smtp://example.com", EmailFrom: from},
		"NOTIFY_EMAIL_TO: \"nobody\" is no":        {SMTPURL: "smtp://example.com", EmailFrom: from, EmailTo: []string{"nobody"}},
		"NOTIFY_CA: ":                              {CA: "missing.pem"},
		"the outcomes are":                         {Routes: "triumph=slack"},
		"the channels are []":                      {Routes: "failed=slack"},
		"failed is there twice":                    {Routes: "failed= failed="},
		"NOTIFY_TEMPLATES: template: slack.txt":    {Templates: folder("slack.txt", "{{.Nothing}}")},
		"NOTIFY_TEMPLATES: template: email.txt":    {Templates: folder("email.txt", "{{")},
		"email.html has more than":                 {Templates: folder("email.html", strings.Repeat("x", 1<<20))},
		"it makes more than":                       {Templates: folder("email.txt", "{{range $i := 1000000}}xxxxxxxx{{end}}")},
		"missing-folder":                           {Templates: filepath.Join(t.TempDir(), "missing-folder")},
	} {
		_, err := notifier.Build(t.Context(), service.Parts{Config: config.Config{Notify: c}, Store: memory.New("churn")})
		switch {
		case want == "" && err != nil:
			t.Error(err)
		case want == "":
		case err == nil || !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), want):
			t.Errorf("%v, want %q", err, want)
		case strings.Contains(err.Error(), "hunter2"):
			t.Errorf("it tells a secret: %v", err)
		}
	}
}

// A template of one's own goes before the built-in one, and is given escaped texts.
func TestOwnTemplates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "slack.txt"), []byte("own: {{.Reason}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	to := newReceiver(t)
	c := slacking(to)
	c.Templates = dir
	start(t, memory.New("churn"), c).run(t, record(t, hostile("request")))
	if got := to.got(); len(got) != 1 || !strings.Contains(unescape(t, got[0].body), "own: x Bcc: all@example.com &lt;!channel&gt;") {
		t.Errorf("told %v", got)
	}
}
