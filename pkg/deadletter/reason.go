package deadletter

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/asfotec/churn/pkg/churn"
)

// Reason is why a service gave up, without what differs from one letter to the
// next: letters of one reason are mended by one deed.
type Reason struct {
	Service churn.Service
	Kind    string // of the error
	Text    string // the error's, with …, URI, ID, DIGEST, TIME and N in place of what was there
}

// ReasonOf returns why the letter is one.
func ReasonOf(l Letter) Reason { return Reason{l.ID.Service, Plain(l.Kind), normalize(l.Message)} }

// ID returns eight hex digits that name the reason.
func (r Reason) ID() string {
	sum := sha256.Sum256([]byte(string(r.Service) + "\x00" + r.Kind + "\x00" + r.Text))
	return hex.EncodeToString(sum[:4])
}

// variable is what differs between messages of one reason, in the order in which
// it is replaced.
var variable = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`"(?:[^"\\]|\\.)*"`), `"…"`},
	{regexp.MustCompile(`\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s,;)]*[^\s,;).:]`), "URI"},
	{regexp.MustCompile(`\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b`), "ID"},
	{regexp.MustCompile(`\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?`), "TIME"},
	{regexp.MustCompile(`\b[0-9a-f]{12,}\b`), "DIGEST"},
	{regexp.MustCompile(`\b(?:\d+(?:\.\d+)?(?:h|ms|m|s|µs|ns))+\b`), "TIME"},
	{regexp.MustCompile(`\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b`), "N"},
}

func normalize(message string) string {
	text := Plain(message)
	for _, v := range variable {
		text = v.pattern.ReplaceAllLiteralString(text, v.by)
	}
	return text
}

// Plain returns the text in one line without what a terminal would obey: anyone may
// have written it.
func Plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// Group is the letters of one reason.
type Group struct {
	Reason
	Count       int
	First, Last time.Time // of the attempts
	Example     ID        // the newest letter
}

// Groups collects letters by reason.
type Groups map[Reason]*Group

// Add adds a letter.
func (g Groups) Add(l Letter) {
	r := ReasonOf(l)
	group := g[r]
	if group == nil {
		group = &Group{Reason: r, First: l.First, Last: l.Last, Example: l.ID}
		g[r] = group
	}
	group.Count++
	if l.First.Before(group.First) {
		group.First = l.First
	}
	if l.Last.After(group.Last) {
		group.Last, group.Example = l.Last, l.ID
	}
}

// Sorted returns the groups, the one that grew last first.
func (g Groups) Sorted() []*Group {
	groups := make([]*Group, 0, len(g))
	for _, group := range g {
		groups = append(groups, group)
	}
	slices.SortFunc(groups, func(a, b *Group) int {
		return cmp.Or(b.Last.Compare(a.Last), strings.Compare(a.ID(), b.ID()))
	})
	return groups
}
