package gate

import (
	"bytes"
	"testing"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	"github.com/asfotec/churn/pkg/soak"
)

// What the gate has noted and finds damaged is an error that says so: nothing is
// decided on it.
func FuzzKept(f *testing.F) {
	for _, seed := range []string{
		`{"event": "e"}`, `{"number": -1}`, `{"number": 9223372036854775807, "holdout": "h"}`, `{"decision": null, "events": null}`,
		`{"decision": {}, "events": [{"data_base64":1,"specversion":"1.0"}]}`, `{"events": "W10="}`, `[]`, `[null]`, `null`, ``, "\x00",
	} {
		f.Add([]byte(seed))
	}
	soak.Fuzz(f, func(t *testing.T, text []byte) {
		store := memory.New("churn")
		g := New(store, objectstore.New(store), objectstore.NewTracker(store))
		const run, id, at = "run", "id", "looks/0000000001.json"
		for _, key := range []string{
			key(run, 0, claimJSON), key(run, 0, evaluatedJSON), approvalKey(run, id, askedJSON), approvalKey(run, id, answeredJSON), at,
		} {
			if _, err := store.Put(t.Context(), key, mediaJSON, bytes.NewReader(text)); err != nil {
				t.Fatal(err)
			}
		}
		_, _, claim := g.lastClaim(t.Context(), run)
		_, _, kept := g.kept(t.Context(), run, 0)
		question, asked := g.asked(t.Context(), run, id)
		_, answered := g.answered(t.Context(), run, id)
		_, look := g.readLook(t.Context(), at)
		for what, err := range map[string]error{"claim": claim, "evaluation": kept, "question": asked, "answer": answered, "look": look} {
			if err != nil && !churn.IsKind(err, churn.Internal) {
				t.Errorf("%s: kind %v: %v", what, churn.KindOf(err), err)
			}
		}
		if asked == nil {
			question.expires()
			question.lapse()
		}
	})
}
