package policy

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// words are a template: text with expressions in braces, each perhaps with the verb
// that shows its value, as in "differs by {%+.4f comparison.auc.value}". {{ and }}
// are braces.
type words []piece

// piece is text or, if there is an expression, what the expression says.
type piece struct {
	text       string
	expression *expression
	verb       string // empty: see show
}

// maxHoles is the most expressions in a template.
const maxHoles = 30

// verbs are those that show a number; without widths, which could be any.
var verbs = regexp.MustCompile(`^%\+?(\.\d)?[fgev]$`)

// shown are the types that a template can show.
var shown = []*cel.Type{cel.DoubleType, cel.IntType, cel.StringType, cel.BoolType, cel.ListType(cel.StringType)}

// words reads a template. {value} and {bound} stand for the sides of the
// rule's comparison, if it is one.
func (c *compiler) words(text string, value, bound *expression) (words, error) {
	var w words
	var plain strings.Builder
	holes := 0
	for rest := text; rest != ""; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			plain.WriteString(rest)
			break
		}
		plain.WriteString(rest[:i])
		if strings.HasPrefix(rest[i:], "{{") || strings.HasPrefix(rest[i:], "}}") {
			plain.WriteByte(rest[i])
			rest = rest[i+2:]
			continue
		}
		hole, after, closed := strings.Cut(rest[i+1:], "}")
		if rest[i] == '}' || !closed {
			return nil, fmt.Errorf("has a brace without its other one: %q; write {{ or }} for a brace itself", clip(rest[i:], 40))
		}
		if holes++; holes > maxHoles {
			return nil, fmt.Errorf("has more than %d expressions", maxHoles)
		}
		p, err := c.hole(hole, value, bound)
		if err != nil {
			return nil, fmt.Errorf("{%s}: %w", clip(hole, 80), err)
		}
		w = append(w, piece{text: plain.String()}, p)
		plain.Reset()
		rest = after
	}
	return append(w, piece{text: plain.String()}), nil
}

// hole reads what is between braces.
func (c *compiler) hole(hole string, value, bound *expression) (piece, error) {
	var p piece
	text := strings.TrimSpace(hole)
	if strings.HasPrefix(text, "%") {
		p.verb, text, _ = strings.Cut(text, " ")
		if !verbs.MatchString(p.verb) {
			return p, fmt.Errorf("%s shows no number: it is for example %%.4f, %%+.4f, %%.2g or %%v", p.verb)
		}
	}
	types := shown
	if p.verb != "" {
		types = shown[:1]
	}
	switch text = strings.TrimSpace(text); {
	case text == "value" && value != nil:
		p.expression = value
	case text == "bound" && bound != nil:
		p.expression = bound
	case text == "value" || text == "bound":
		return p, errors.New("the rule compares no two numbers")
	}
	if p.expression != nil {
		return p, c.spend(p.expression.cost)
	}
	var err error
	p.expression, err = c.compile(text, types...)
	return p, err
}

// say fills in the template. value and bound are those of the rule: the shorter form
// of either must not look like the other.
func (w words) say(e Evidence, value, bound float64) string {
	var b strings.Builder
	for _, p := range w {
		b.WriteString(p.text)
		if p.expression == nil {
			continue
		}
		v, err := p.expression.evaluate(e, nil)
		if err != nil {
			b.WriteString("(unknown)")
			continue
		}
		b.WriteString(show(v, p.verb, value, bound))
	}
	return strings.TrimSpace(b.String())
}

// show returns a value as people read it.
func show(v ref.Val, verb string, value, bound float64) string {
	switch v := v.(type) {
	case types.Double:
		f := float64(v)
		switch {
		case verb != "":
			return fmt.Sprintf(verb, f)
		case f == value:
			return digits(f, bound)
		case f == bound:
			return digits(f, value)
		}
		return digits(f, f)
	case types.Int:
		return fmt.Sprint(int64(v))
	case traits.Lister:
		var all []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			all = append(all, fmt.Sprint(it.Next().Value()))
		}
		return clip(strings.Join(all, ", "), maxExplanation/4)
	default:
		return clip(fmt.Sprint(v.Value()), maxExplanation/4)
	}
}

// digits shows v with four decimals, or with as many as it takes to tell it
// from the other.
func digits(v, other float64) string {
	for decimals := 4; decimals < 17; decimals++ {
		text := fmt.Sprintf("%.*f", decimals, v)
		if v == other || math.IsNaN(v) || text != fmt.Sprintf("%.*f", decimals, other) {
			return text
		}
	}
	return fmt.Sprint(v)
}
