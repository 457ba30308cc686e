package policy

import (
	"embed"
	"fmt"
	"strings"
	"sync"

	"github.com/asfotec/churn/pkg/churn"
)

//go:embed builtin/*.yaml
var documents embed.FS

// Plain is the policy of events from before there was a choice.
const Plain = "plain"

// BuiltIns returns the names of the built-in policies, the default first.
func BuiltIns() []string { return append(append([]string{}, churn.Policies...), Plain) }

// BuiltIn returns the text of a built-in policy. Without a name it is the plain one.
func BuiltIn(name string) (text []byte, ok bool) {
	if name == "" {
		name = Plain
	}
	for _, known := range BuiltIns() {
		if known == name {
			text, err := documents.ReadFile("builtin/" + name + ".yaml")
			return text, err == nil
		}
	}
	return nil, false
}

// compiled keeps the built-in policies by name.
var compiled sync.Map

func builtIn(name string) (*Policy, error) {
	if p, ok := compiled.Load(name); ok {
		return p.(*Policy), nil
	}
	text, ok := BuiltIn(name)
	if !ok {
		return nil, fmt.Errorf("there is no policy %.80q: it is one of %s, or a document of your own", name, strings.Join(churn.Policies, ", "))
	}
	p, err := parse(text)
	if err == nil {
		compiled.Store(name, p)
	}
	return p, err
}

// wrong says which policy something is wrong with.
func wrong(name string, err error) error {
	if name == "" {
		return fmt.Errorf("the policy %w", err)
	}
	return fmt.Errorf("the policy %s: %w", name, err)
}
