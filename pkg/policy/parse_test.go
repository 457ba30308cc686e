package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/policy"
	"github.com/asfotec/churn/pkg/soak"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func TestApproval(t *testing.T) {
	for text, want := range map[string]*policy.Approval{
		"":                         nil,
		"approval: {expires: 24h}": {Expires: 24 * time.Hour},
		"approval: {expires: 90m, not_by_requester: true}": {Expires: 90 * time.Minute, NotByRequester: true},
	} {
		p, err := policy.Parse([]byte(rulebook("- name: r\n  holds: true\n") + text))
		if err != nil || (p.Approval == nil) != (want == nil) || want != nil && *p.Approval != *want {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
}

// What is wrong with a policy is said when it is read: where, and what to do.
func TestRefused(t *testing.T) {
	holds := func(expression string) string { return rulebook("- name: own\n  holds: " + expression) }
	for name, test := range map[string]struct{ text, say string }{
		"empty":              {"", "version 0, want 1"},
		"no YAML":            {"{", "is not valid YAML"},
		"two documents":      {holds("true") + "\n---\na: 1", "more than one document"},
		"newer":              {strings.Replace(holds("true"), "version: 1", "version: 2", 1), "version 2, want 1"},
		"unknown field":      {holds("true") + "\n  hold: true", "field hold not found"},
		"repeated field":     {holds("true") + "\n  holds: true", "already defined"},
		"no name":            {strings.Replace(holds("true"), "own", "\"\"", 1), `has the name ""`},
		"name with blanks":   {strings.Replace(holds("true"), "own", "my own", 1), `has the name "my own"`},
		"no rule":            {"version: 1\nname: own", "has no rule: it would promote every candidate"},
		"too many rules":     {rulebook(many(33, "- name: r%d\n  holds: true\n")), "33 rules; at most 32"},
		"rule without name":  {rulebook("- holds: true"), `rules[0] has the name ""`},
		"rule in camel case": {rulebook("- name: minAuc\n  holds: true"), `rules[0] has the name "minAuc"; it must be in snake_case`},
		"same rule twice":    {rulebook(many(2, "- name: r # %d\n  holds: true\n")), "line 6: there is another rule named r"},
		"no expression":      {rulebook("- name: r\n  says: hm"), "rule r: line 4: holds is missing"},
		"a list":             {rulebook("- name: r\n  holds: [true]"), "line 5: there must be a text"},
		"guards alone":       {rulebook("- name: r\n  when: champion.exists\n  holds: true"), "every rule has a `when`"},
		"endless approval":   {holds("true") + "\napproval: {expires: 9000h}", "approval.expires is \"9000h\""},
		"no time":            {holds("true") + "\napproval: {not_by_requester: true}", "approval.expires is \"\""},
		"negative":           {holds("true") + "\napproval: {expires: -1h}", "approval.expires"},

		"unknown name":      {holds("candidat.auc > 0.8"), "rule own: line 5: holds: at line 1, character 1 of the expression: undeclared reference to 'candidat' (did you mean 'candidate'?)"},
		"unknown field of":  {holds("candidate.acuracy > 0.8"), "undefined field 'acuracy' (did you mean 'accuracy'?)"},
		"nothing like it":   {holds("candidate.x > 0.8"), "undefined field 'x'"},
		"unknown function":  {holds("p_abov(comparison.auc, 0) < 0.05"), "(did you mean 'p_above'?)"},
		"not a truth value": {holds("candidate.auc"), "is of type double; it must be of type bool"},
		"wrong types":       {holds("candidate.auc > 'high'"), "found no matching overload"},
		"wrong argument":    {holds("p_above(candidate.auc, 0) < 0.05"), "found no matching overload for 'p_above'"},
		"object as number":  {holds("comparison.auc > 0.0"), "found no matching overload"},
		"mixed list":        {holds("candidate.auc > 0.8 && [1, 'a'].size() == 2"), "expected type 'int' but found 'string'"},
		"no types":          {holds("dyn(candidate).whatever"), "dyn() is not allowed"},
		"map":               {holds("'{1: 2}.all(k, k == 1)'"), "maps are not allowed"},
		"made up":           {holds("'Difference{value: 1.0}.value > 0.0'"), "a Difference cannot be made up"},
		"the clock":         {holds("now() > timestamp('2026-01-01T00:00:00Z')"), "undeclared reference to 'now'"},
		"syntax":            {holds("candidate.auc >"), "Syntax error"},
		"bad pattern":       {holds("slices.all(s, s.value.matches('('))"), "invalid matches argument"},
		"too long":          {holds(strings.Repeat("true && ", 300) + "true"), "exceeds limit"},
		"too deep":          {holds("'" + strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200) + "'"), "recursion limit"},
		"too costly":        {holds("slices.all(a, slices.all(b, a.rows + b.rows > 0))"), "could cost"},
		"far too costly":    {holds("drift.columns.all(a, drift.columns.all(b, drift.columns.all(c, drift.columns.all(d, a.psi < d.psi))))"), "could cost"},

		"unclosed brace":    {rulebook("- name: r\n  holds: true\n  says: 'AUC {candidate.auc'"), "line 6: says: has a brace without its other one: \"{candidate.auc\""},
		"unopened brace":    {rulebook("- name: r\n  holds: true\n  otherwise: AUC } of"), "otherwise: has a brace without its other one: \"} of\""},
		"unknown in them":   {rulebook("- name: r\n  holds: true\n  says: AUC {candidate.aux}"), "says: {candidate.aux}: at line 1, character 10 of the expression: undefined field 'aux' (did you mean 'auc'?)"},
		"object in them":    {rulebook("- name: r\n  holds: true\n  says: AUC {candidate}"), "is of type Metrics"},
		"verb of a word":    {rulebook("- name: r\n  holds: true\n  says: '{%.2f gate.baseline_stage}'"), "is of type string; it must be of type double"},
		"no such verb":      {rulebook("- name: r\n  holds: true\n  says: '{%1000000f candidate.auc}'"), "%1000000f shows no number"},
		"no value":          {rulebook("- name: r\n  holds: true\n  says: '{value}'"), "the rule compares no two numbers"},
		"many in them":      {rulebook("- name: r\n  holds: true\n  says: '" + strings.Repeat("{look}", 31) + "'"), "more than 30 expressions"},
		"long words":        {rulebook("- name: r\n  holds: true\n  says: " + strings.Repeat("long ", 401)), "at most 2000"},
		"silent note":       {rulebook("- name: r\n  holds: true\n  notes: [{when: true}]"), "line 6: notes.says is missing"},
		"many notes":        {rulebook("- name: r\n  holds: true\n  notes:\n" + many(9, "  - {says: %d}\n")), "9 notes; at most 8"},
		"too many in all":   {rulebook(many(17, "- name: r%d\n  holds: true\n  says: '"+strings.Repeat("{look}", 30)+"'\n")), "a policy may have 500 expressions"},
		"too costly in all": {rulebook(many(30, "- name: r%d\n  holds: slices.all(s, s.value.matches('x*y*z*x*y*z*x*y*z*') || s.value.matches('x*y*z*x*y*z*x*y*z*'))\n")), "the policy's expressions could cost"},
		"several at once":   {rulebook("- name: a\n  holds: x\n- name: b\n  holds: y"), "rule b: line 7: holds: at line 1, character 1 of the expression: undeclared reference to 'y'"},
	} {
		p, err := policy.Parse([]byte(test.text))
		if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), test.say) {
			t.Errorf("%s: %+v, %v\nwant %q", name, p, err, test.say)
		}
	}
}

func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// No text makes Parse panic; what it takes can be judged by, with verdicts that fit
// into events.
func FuzzParse(f *testing.F) {
	for _, name := range policy.BuiltIns() {
		text, _ := policy.BuiltIn(name)
		f.Add(string(text))
	}
	for _, e := range everything {
		f.Add(rulebook("- name: own\n  holds: " + e))
	}
	f.Add(rulebook("- name: own\n  holds: 1/0 > look\n  says: '{{ {%.2g value} }}'\n  notes: [{says: 'x {bound}'}]\n") + "approval: {expires: 1h}")
	soak.Fuzz(f, func(t *testing.T, text string) {
		p, err := policy.Parse([]byte(text))
		if err != nil {
			return
		}
		for _, m := range []*eventv1.ModelEvaluated{full(), evaluated(&eventv1.Gate{}, metrics(0.8, 0.8), nil)} {
			rules := judge(t, p, m)
			for _, r := range rules {
				if len(r.GetExplanation()) > 4<<10 || r.GetExplanation() == "" || len(r.GetValues()) > 101 || r.GetValue()-r.GetValue() != 0 || r.GetBound()-r.GetBound() != 0 {
					t.Errorf("%v", r)
				}
			}
		}
	})
}
