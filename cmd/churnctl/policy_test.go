package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/policy"
	"github.com/asfotec/churn/pkg/service"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const ownPolicy = "version: 1\nname: own\ndescription: F1 counts.\napproval: {expires: 24h}\nrules:\n- {name: f1, holds: candidate.f1 > 0.5}\n"

// file writes a file, and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// call runs a command line, and returns what it says and its exit code.
func call(t *testing.T, args ...string) (string, int) {
	t.Helper()
	t.Setenv("KAFKA_BROKERS", "")
	a := newApp()
	var out strings.Builder
	a.out, a.err = &out, &out
	root := a.root()
	root.SetArgs(args)
	root.SetOut(&out)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		out.WriteString(err.Error())
	}
	return out.String(), exitCode(err)
}

func TestPolicyVerbs(t *testing.T) {
	refresh, _ := policy.BuiltIn(churn.Refresh)
	good, bad := file(t, ownPolicy), file(t, strings.Replace(ownPolicy, "f1 >", "f2 >", 1))
	for _, test := range []struct {
		args string
		code int
		say  []string
	}{
		{"policy list", exitOK, []string{"refresh ", "must-be-better ", "min_auc, min_accuracy, superior", "plain "}},
		{"policy show refresh", exitOK, []string{string(refresh)}},
		{"policy show fresh", exitUsage, []string{"refresh, must-be-better, plain"}},
		{"policy names", exitOK, []string{"candidate.auc ", "slices[].auc ", "drift.columns[].psi ", "p_above(difference, bound)", "comparison.auc.error"}},
		{"policy check " + good, exitOK, []string{"own.yaml can be used: policy own with the rules f1", "a person must approve within 24h0m0s"}},
		{"policy check " + bad, exitUsage, []string{"own.yaml: policy.Parse: the policy own: rule f1: line 6", "undefined field 'f2' (did you mean 'f1'?)"}},
		{"policy check nowhere.yaml", exitUsage, []string{"nowhere.yaml", "churnctl policy list"}},
		{"retrain --policy " + bad, exitUsage, []string{"undefined field 'f2'"}},
		{"retrain --policy fresh", exitUsage, []string{"fresh: no such file"}},
		{"gate explain", exitUsage, []string{"arg"}},
	} {
		out, code := call(t, append(strings.Fields(test.args), "--log-level", "error", "--state-dir", t.TempDir())...)
		for _, say := range test.say {
			if code != test.code || !strings.Contains(out, say) {
				t.Errorf("%s: exit code %d, want %d and %q:\n%s", test.args, code, test.code, say, out)
			}
		}
	}
	out, _ := call(t, "policy", "check", good, "-o", "json")
	var v policyView
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Name != "own" || v.Approval.Expires != "24h0m0s" || v.Rules[0].Holds != "candidate.f1 > 0.5" {
		t.Errorf("%v: %s", err, out)
	}
}

// A request names the text of the policy that it asks for, stored under its digest.
func TestAPolicyInARequest(t *testing.T) {
	store := memory.New("churn")
	refresh, _ := policy.BuiltIn(churn.Refresh)
	plain, _ := policy.BuiltIn(policy.Plain)
	for name, test := range map[string]struct {
		policy, name, text string
	}{
		"built in": {churn.Refresh, churn.Refresh, string(refresh)},
		"plain":    {policy.Plain, "", string(plain)},
		"a file":   {file(t, ownPolicy), "", ownPolicy},
	} {
		o := &overrideFlags{}
		cmd := &cobra.Command{}
		o.addGate(cmd.Flags())
		if err := cmd.ParseFlags([]string{"--policy", test.policy}); err != nil {
			t.Fatal(err)
		}
		if err := o.storePolicy(t.Context(), newApp(), store); err != nil {
			t.Fatal(err)
		}
		g := o.gate()
		text, err := store.Get(t.Context(), g.GetPolicyDocument(), policy.MaxDocument)
		if err != nil || string(text) != test.text || g.GetPolicy() != test.name || g.GetPolicyDocument().GetUri() != store.URI(churn.PolicyKey(g.GetPolicyDocument().GetSha256())) {
			t.Errorf("%s: %v (%v) is\n%s", name, g, err, text)
		}
	}
	o := &overrideFlags{policy: "s3://churn/mine/own.yaml"}
	cmd := &cobra.Command{}
	o.addGate(cmd.Flags())
	if err := cmd.ParseFlags([]string{"--policy", "s3://churn/mine/own.yaml"}); err != nil {
		t.Fatal(err)
	}
	if err := o.storePolicy(t.Context(), newApp(), store); err != nil || o.gate().GetPolicyDocument().GetUri() != "s3://churn/mine/own.yaml" || o.gate().Policy != nil {
		t.Errorf("%v, %v", o.gate(), err)
	}
}

// decided returns a run that was rejected by a policy of one's own, or by a built-in
// one from before there were documents.
func decided(document *blob.Artifact) *fold.Run {
	plan := &eventv1.Plan{Model: "m", Gate: &eventv1.Gate{Policy: churn.Refresh, PolicyDocument: document}}
	request := event.Event{
		Topic: churn.RetrainRequested, ID: "request", Type: churn.RetrainRequested.Type(), Data: &eventv1.RetrainRequested{Model: "m"},
	}
	evaluated := request.Reply(churn.Evaluator, churn.ModelEvaluated, 0, "m", &eventv1.ModelEvaluated{
		Plan: plan, Champion: &eventv1.Champion{Version: 3}, Metrics: &eventv1.Metrics{F1: 0.4}, ChampionMetrics: &eventv1.Metrics{F1: 0.6},
	})
	rejected := evaluated.Reply(churn.Gate, churn.ModelRejected, 0, "m", &eventv1.ModelRejected{
		Plan: plan, Model: "m", Run: request.Run(), Reason: "too low (f1)", ChampionVersion: 3, Rules: []*eventv1.Rule{
			{Name: "f1", Explanation: "too low", Value: 0.4, Bound: 0.5, Expression: "candidate.f1 > 0.5", Values: []*eventv1.RuleValue{{Name: "candidate.f1", Value: "0.4"}}},
			{Name: "look", Explanation: "few looks", Passed: true, Expression: "look < 9", Values: []*eventv1.RuleValue{{Name: "look", Value: "1"}}},
		},
	})
	runs := fold.Runs{}
	for _, e := range []event.Event{request, evaluated, rejected} {
		runs.Add(e)
	}
	return runs[request.Run()]
}

func TestExplain(t *testing.T) {
	store := memory.New("churn")
	document, err := store.Put(t.Context(), "policies/own.yaml", mediaYAML, strings.NewReader(ownPolicy))
	if err != nil {
		t.Fatal(err)
	}
	gone := proto.CloneOf(document)
	gone.Uri, gone.Sha256 = "s3://churn/policies/gone.yaml", strings.Repeat("0", 64)
	p := &parts{Parts: service.Parts{Store: store}}
	for name, test := range map[string]struct {
		document *blob.Artifact
		policy   string // the words about it
	}{
		"own":    {document, "policy own, SHA-256 " + document.GetSha256() + "\n  F1 counts.\n"},
		"gone":   {gone, "policy whose document is gone, SHA-256 " + gone.GetSha256() + "\n"},
		"before": {nil, "policy refresh, SHA-256 "},
	} {
		run := decided(test.document)
		x, err := p.explain(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		explanationTable(&out, x)
		for _, say := range []string{
			"rejected: run " + run.ID + " of m, compared with version 3\n  too low (f1)\n", test.policy,
			"FAILED  f1: too low\n        candidate.f1 > 0.5\n          candidate.f1  0.4\n",
			"passed  look: few looks\n        look < 9\n          look  1\n",
		} {
			if !strings.Contains(out.String(), say) {
				t.Errorf("%s: %q is missing in\n%s", name, say, out.String())
			}
		}
		if text, err := json.Marshal(x); err != nil || !strings.Contains(string(text), `"name":"f1","passed":false,"explanation":"too low"`) {
			t.Errorf("%s: %v: %s", name, err, text)
		}
	}
	open := decided(document)
	e, _ := open.Last(churn.ModelRejected)
	delete(open.Events, e.ID)
	if _, err := p.explain(t.Context(), open); exitCode(err) != exitUsage || !strings.Contains(err.Error(), "it is deciding") {
		t.Errorf("of a run that is not decided: %v", err)
	}
}
