package notifier

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/asfotec/churn/pkg/churn"
)

// What Slack takes of a header and of a section, in characters.
const (
	maxHeader  = 150
	maxSection = 3000
)

// slack posts to an incoming webhook. Slack has no way to tell a notice that comes
// twice.
type slack struct {
	to        poster
	templates *templates
}

func newSlack(url string, trust *x509.CertPool, t *templates) Channel {
	return &slack{newPoster("notifier.slack", url, trust), t}
}

func (*slack) Name() string { return Slack }

func (s *slack) Send(ctx context.Context, _ string, n *Notice) error {
	body, err := s.payload(n)
	if err != nil {
		return err
	}
	return s.to.post(ctx, body, http.Header{})
}

// block is one of Slack's blocks.
type block struct {
	Type string `json:"type"`
	Text text   `json:"text"`
}

type text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim,omitempty"` // what looks like a link or a name is none
}

// payload returns the message: the title as a header, and what the template makes
// of the rest.
func (s *slack) payload(n *Notice) ([]byte, error) {
	rest, err := s.templates.slack(escaped(n))
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{
		"text":         escape(n.Title),
		"unfurl_links": false, "unfurl_media": false,
		"blocks": []block{
			{"header", text{Type: "plain_text", Text: clean(n.Title, maxHeader)}},
			{"section", text{"mrkdwn", fit(rest, maxSection), true}},
		},
	})
	return body, churn.E("notifier.slack", churn.Invalid, err)
}

// fit returns the first whole lines that make at most limit characters.
func fit(lines string, limit int) string {
	if utf8.RuneCountInString(lines) <= limit {
		return lines
	}
	kept := ""
	for line := range strings.Lines(lines) {
		if utf8.RuneCountInString(kept+line) > limit-2 {
			break
		}
		kept += line
	}
	return kept + "…"
}

// escape takes from a text what Slack's markup would make of it: links, mentions,
// channels. What stresses words does no harm.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// escaped returns the notice with every text escaped, so that no template can
// forget to.
func escaped(n *Notice) *Notice {
	c := *n
	for _, t := range []*string{&c.Title, &c.Model, &c.Run, &c.Event, &c.Reason, &c.Expires, &c.Report} {
		*t = escape(*t)
	}
	c.Rules, c.People, c.Next = nil, nil, nil
	for _, r := range n.Rules {
		c.Rules = append(c.Rules, Rule{escape(r.Name), r.Passed, escape(r.Explanation)})
	}
	for _, p := range n.People {
		c.People = append(c.People, Person{p.Did, escape(p.By), escape(p.Reason)})
	}
	for _, s := range n.Next {
		c.Next = append(c.Next, Step{escape(s.Command), escape(s.Purpose)})
	}
	return &c
}
