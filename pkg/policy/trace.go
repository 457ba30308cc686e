package policy

import (
	"fmt"
	"slices"
	"strconv"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const (
	maxValues = 100 // that a verdict shows
	maxShown  = 200 // bytes of a name or text among them
)

// trace is what an expression looks at, in its order. A nil trace notes nothing.
type trace struct {
	groups [][]*eventv1.RuleValue
	places map[string]int // of an object's values among the groups, by its path
	known  map[string]bool
	shown  int
	more   int   // values that are not shown
	err    error // the first value that no verdict can rest on
}

// reach notes that an object was come to, whose values are looked at later: a
// function's arguments come to be looked at when all of them are there.
func (t *trace) reach(path string) {
	if t == nil {
		return
	}
	if _, ok := t.places[path]; ok {
		return
	}
	if t.places == nil {
		t.places = map[string]int{}
	}
	t.places[path] = len(t.groups)
	t.groups = append(t.groups, nil)
}

// add notes a value of an object, or one of its own, without a path.
func (t *trace) add(path, name string, v any) {
	if path != "" {
		name = path + "." + name
	}
	if t == nil || t.known[name] {
		return
	}
	if t.known == nil {
		t.known = map[string]bool{}
	}
	t.known[name] = true
	if t.shown++; t.shown > maxValues {
		t.more++
		return
	}
	value := &eventv1.RuleValue{Name: clip(name, maxShown), Value: clip(plainly(v), maxShown)}
	if i, ok := t.places[path]; ok {
		t.groups[i] = append(t.groups[i], value)
		return
	}
	t.groups = append(t.groups, []*eventv1.RuleValue{value})
}

// fail notes an error that the expression must not set aside, as || could.
func (t *trace) fail(err error) error {
	if t != nil && t.err == nil {
		t.err = err
	}
	return err
}

// all returns the values, the last of which says how many there are besides.
func (t *trace) all() []*eventv1.RuleValue {
	values := slices.Concat(t.groups...)
	if t.more == 0 {
		return values
	}
	return append(values, &eventv1.RuleValue{Name: "…", Value: fmt.Sprintf("%d more", t.more)})
}

// plainly shows a value as it is.
func plainly(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// clip shortens a text to so many bytes, between characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := 0
	for i := range s {
		if i > most-len("…") {
			break
		}
		end = i
	}
	return s[:end] + "…"
}
