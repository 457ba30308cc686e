package notifier

import (
	"fmt"
	"time"

	"github.com/asfotec/churn/pkg/churn"
)

// Outcome is what is told of.
type Outcome string

// The outcomes, by the events that bring them.
const (
	Promoted          Outcome = "promoted"
	Rejected          Outcome = "rejected"
	Failed            Outcome = "failed"
	ApprovalRequested Outcome = "approval-requested"
	ApprovalDecided   Outcome = "approval-decided"
)

// Outcomes are all of them.
var Outcomes = []Outcome{Promoted, Rejected, Failed, ApprovalRequested, ApprovalDecided}

// Notice is what one event is told as, on every channel: its JSON is what
// webhooks get, and templates are made from it. Its texts are one line each, of a
// bounded length, and hold nothing that a terminal or a mail header would obey;
// what they say is whoever's who sent the event.
type Notice struct {
	Outcome  Outcome   `json:"outcome"`
	Title    string    `json:"title"` // what happened, in a sentence
	Model    string    `json:"model"` // empty of a request that named none
	Run      string    `json:"run"`
	Event    string    `json:"event"`            // its id
	Time     time.Time `json:"time"`             // when it happened
	Version  int64     `json:"version"`          // that is in production now; 0 if nothing was promoted
	Previous int64     `json:"previous_version"` // that it replaced, or that stays; 0 if there is none
	Reason   string    `json:"reason"`           // why, in words; may be empty
	Expires  string    `json:"expires_at"`       // of an approval that is asked for, RFC 3339; empty otherwise
	Metrics  []Metric  `json:"metrics"`          // on the hold-out
	Rules    []Rule    `json:"rules"`            // at most maxRules, those that failed first
	People   []Person  `json:"people"`           // who asked, approved, denied
	Next     []Step    `json:"next"`             // what can be done
	Report   string    `json:"report"`           // URI of the page for people; may be empty
}

// Metric is a metric of the candidate and, where the event has it, the champion.
type Metric struct {
	Name     string   `json:"name"`
	Value    float64  `json:"value"`
	Champion *float64 `json:"champion,omitempty"`
}

// Text returns the metric for people.
func (m Metric) Text() string {
	if m.Champion == nil {
		return fmt.Sprintf("%.4f", m.Value)
	}
	return fmt.Sprintf("%.4f (champion %.4f)", m.Value, *m.Champion)
}

// Rule is a rule of promotion in words.
type Rule struct {
	Name        string `json:"name"`
	Passed      bool   `json:"passed"`
	Explanation string `json:"explanation"`
}

// Person is who did what, and why.
type Person struct {
	Did    string `json:"did"` // such as "approved"
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// Step is a command that helps, and what for.
type Step struct {
	Command string `json:"command"`
	Purpose string `json:"purpose"`
}

// id returns the id of an event's notice on a channel: a name that is the same at
// each attempt, by which receivers can tell a notice that comes twice.
func id(event, channel string) string { return churn.EventID(event, "notice/"+channel, 0) }
