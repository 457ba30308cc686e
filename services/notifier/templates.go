package notifier

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	html "html/template"
	"io"
	"io/fs"
	"os"
	"strings"
	plaintext "text/template"

	"github.com/asfotec/churn/pkg/churn"
)

//go:embed templates
var builtIn embed.FS

const (
	maxTemplate = 256 << 10 // bytes of a template's file
	maxMade     = 256 << 10 // bytes that a template makes of a notice
)

// templates make texts of notices.
type templates struct {
	slackText, emailText *plaintext.Template
	emailPage            *html.Template
}

// newTemplates reads slack.txt, email.txt and email.html from the folder; those
// that it lacks, or all if it is "", are the built-in ones. They are tried on
// samples: what is wrong with one is an Invalid error that names it.
func newTemplates(folder string) (*templates, error) {
	const op = "notifier.templates"
	t := &templates{}
	for name, parse := range map[string]func(text string) error{
		"slack.txt":  func(text string) (err error) { t.slackText, err = plaintext.New("slack.txt").Parse(text); return err },
		"email.txt":  func(text string) (err error) { t.emailText, err = plaintext.New("email.txt").Parse(text); return err },
		"email.html": func(text string) (err error) { t.emailPage, err = html.New("email.html").Parse(text); return err },
	} {
		text, err := source(folder, name)
		if err == nil {
			err = parse(text)
		}
		if err != nil {
			return nil, churn.Errorf(op, churn.Invalid, "NOTIFY_TEMPLATES: %w", err)
		}
	}
	return t, t.try()
}

func source(folder, name string) (string, error) {
	if folder != "" {
		text, err := read(os.DirFS(folder), name)
		if !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
		if _, err := os.Stat(folder); err != nil {
			return "", err
		}
	}
	return read(builtIn, "templates/"+name)
}

func read(from fs.FS, name string) (string, error) {
	f, err := from.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err == nil && len(text) > maxTemplate {
		err = fmt.Errorf("%s has more than %d bytes", name, maxTemplate)
	}
	return string(text), err
}

// try makes texts of a notice with everything and of one with nothing.
func (t *templates) try() error {
	full := &Notice{
		Metrics: []Metric{{Name: "AUC", Champion: new(float64)}}, Rules: []Rule{{}, {Passed: true}},
		People: []Person{{}}, Next: []Step{{}}, Report: "s3://bucket/key", Expires: "2026-01-31T12:00:00Z", Version: 2, Previous: 1,
	}
	for _, n := range []*Notice{full, {}} {
		if _, err := t.slack(n); err != nil {
			return err
		}
		if _, _, err := t.email(n); err != nil {
			return err
		}
	}
	return nil
}

func (t *templates) slack(n *Notice) (string, error) { return render(t.slackText, n) }

func (t *templates) email(n *Notice) (plain, page string, err error) {
	if plain, err = render(t.emailText, n); err != nil {
		return "", "", err
	}
	page, err = render(t.emailPage, n)
	return plain, page, err
}

func render(t interface{ Execute(io.Writer, any) error }, n *Notice) (string, error) {
	made := &limited{left: maxMade}
	if err := t.Execute(made, n); err != nil {
		return "", churn.Errorf("notifier.templates", churn.Invalid, "NOTIFY_TEMPLATES: %w", err)
	}
	return strings.TrimSpace(made.String()) + "\n", nil
}

// limited is a buffer that takes so many bytes.
type limited struct {
	bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, fmt.Errorf("it makes more than %d bytes", maxMade)
	}
	return l.Buffer.Write(p)
}
