package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"

	"github.com/asfotec/churn/pkg/strictyaml"
)

const (
	// MaxDocument is the most bytes that a policy may have.
	MaxDocument = 64 << 10
	maxRules    = 32
	maxNotes    = 8
	maxText     = 2000 // bytes of words and of the description
	maxExpires  = 366 * 24 * time.Hour
)

// document is a policy as it is written.
type document struct {
	Version     int             `yaml:"version"`
	Name        string          `yaml:"name"`
	Description string          `yaml:"description"`
	Approval    *approvalFields `yaml:"approval"`
	Rules       []ruleFields    `yaml:"rules"`
}

type approvalFields struct {
	Expires        line `yaml:"expires"`
	NotByRequester bool `yaml:"not_by_requester"`
}

type ruleFields struct {
	Name      line         `yaml:"name"`
	When      line         `yaml:"when"`
	Holds     line         `yaml:"holds"`
	Says      line         `yaml:"says"`
	Otherwise line         `yaml:"otherwise"`
	Notes     []noteFields `yaml:"notes"`
}

type noteFields struct {
	When line `yaml:"when"`
	Says line `yaml:"says"`
}

// line is a text and the line that it begins on.
type line struct {
	text string
	at   int
}

// UnmarshalYAML implements yaml.Unmarshaler. An expression may look like a number or
// a truth value.
func (l *line) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: there must be a text", n.Line)
	}
	l.text, l.at = strings.TrimSpace(n.Value), n.Line
	return nil
}

var (
	policyName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	ruleName   = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
)

const maxName = 64

// read reads the document's fields.
func read(text []byte) (*document, error) {
	if len(text) > MaxDocument {
		return nil, fmt.Errorf("has %d bytes; at most %d are allowed", len(text), MaxDocument)
	}
	d := &document{}
	if err := strictyaml.Decode(text, d); err != nil {
		return nil, fmt.Errorf("is not valid YAML of the expected form: %w", err)
	}
	switch {
	case d.Version != 1:
		return nil, fmt.Errorf("has version %d, want 1", d.Version)
	case !policyName.MatchString(d.Name) || len(d.Name) > maxName:
		return nil, fmt.Errorf("has the name %.80q; it must be of at most %d small letters, digits and single dashes between them", d.Name, maxName)
	case len(d.Description) > maxText:
		return nil, fmt.Errorf("has a description of %d bytes; at most %d are allowed", len(d.Description), maxText)
	case len(d.Rules) == 0:
		return nil, errors.New("has no rule: it would promote every candidate")
	case len(d.Rules) > maxRules:
		return nil, fmt.Errorf("has %d rules; at most %d are allowed", len(d.Rules), maxRules)
	}
	return d, nil
}

// approval returns what the document asks of people.
func (d *document) approval() (*Approval, error) {
	if d.Approval == nil {
		return nil, nil
	}
	expires, err := time.ParseDuration(d.Approval.Expires.text)
	if err != nil || expires <= 0 || expires > maxExpires {
		return nil, fmt.Errorf("approval.expires is %.40q; it must be a time such as 24h or 90m, of at most %d days", d.Approval.Expires.text, maxExpires/(24*time.Hour))
	}
	return &Approval{expires, d.Approval.NotByRequester}, nil
}

// rules compiles the rules. The error names everything that is wrong.
func (d *document) rules() ([]Rule, error) {
	var problems []error
	rules := make([]Rule, len(d.Rules))
	seen := map[string]bool{}
	always := false
	c := &compiler{}
	for i, f := range d.Rules {
		where := fmt.Sprintf("rules[%d]", i)
		name := f.Name.text
		switch {
		case !ruleName.MatchString(name) || len(name) > maxName:
			problems = append(problems, fmt.Errorf("%s has the name %.80q; it must be in snake_case, of at most %d characters", where, name, maxName))
			continue
		case seen[name]:
			problems = append(problems, fmt.Errorf("line %d: there is another rule named %s", f.Name.at, name))
			continue
		}
		seen[name] = true
		always = always || f.When.text == ""
		var err error
		if rules[i], err = c.rule(f); err != nil {
			problems = append(problems, fmt.Errorf("rule %s: %w", name, err))
		}
	}
	if len(problems) == 0 && !always {
		problems = append(problems, errors.New("every rule has a `when`: a candidate that none of them applies to would be promoted unseen; give one rule none"))
	}
	return rules, errors.Join(problems...)
}

func (c *compiler) rule(f ruleFields) (r Rule, err error) {
	r.Name, r.When, r.Holds = f.Name.text, f.When.text, f.Holds.text
	if f.Holds.text == "" {
		return r, fmt.Errorf("line %d: holds is missing: what must be so for the rule to hold", f.Name.at)
	}
	if len(f.Notes) > maxNotes {
		return r, fmt.Errorf("line %d: there are %d notes; at most %d are allowed", f.Name.at, len(f.Notes), maxNotes)
	}
	if r.guard, err = c.condition("when", f.When); err != nil {
		return r, err
	}
	if r.condition, err = c.condition("holds", f.Holds); err != nil {
		return r, err
	}
	if r.value, r.bound, err = c.operands(r.condition); err != nil {
		return r, f.Holds.wrong("holds", err)
	}
	if r.says, err = c.template("says", f.Says, &r); err != nil {
		return r, err
	}
	if r.otherwise, err = c.template("otherwise", f.Otherwise, &r); err != nil {
		return r, err
	}
	for _, n := range f.Notes {
		compiled, err := c.note(n, &r)
		if err != nil {
			return r, err
		}
		r.notes = append(r.notes, compiled)
	}
	return r, nil
}

func (c *compiler) note(f noteFields, r *Rule) (n note, err error) {
	if f.Says.text == "" {
		return n, fmt.Errorf("line %d: notes.says is missing: what is added to the words", f.When.at)
	}
	if n.when, err = c.condition("notes.when", f.When); err != nil {
		return n, err
	}
	n.says, err = c.template("notes.says", f.Says, r)
	return n, err
}

// condition compiles an expression that is true or false; nil if there is none.
func (c *compiler) condition(field string, l line) (*expression, error) {
	if l.text == "" {
		return nil, nil
	}
	x, err := c.compile(l.text, cel.BoolType)
	if err != nil {
		return nil, l.wrong(field, err)
	}
	return x, nil
}

// template reads words; nil if there are none.
func (c *compiler) template(field string, l line, r *Rule) (words, error) {
	if l.text == "" {
		return nil, nil
	}
	if len(l.text) > maxText {
		return nil, l.wrong(field, fmt.Errorf("has %d bytes; at most %d are allowed", len(l.text), maxText))
	}
	w, err := c.words(l.text, r.value, r.bound)
	if err != nil {
		return nil, l.wrong(field, err)
	}
	return w, nil
}

// wrong says where something is wrong.
func (l line) wrong(field string, err error) error {
	return fmt.Errorf("line %d: %s: %w", l.at, field, err)
}
