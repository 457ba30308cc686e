package stage

import (
	"bytes"
	"testing"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/soak"
)

// An outcome that is damaged is an error: it answers nothing.
func FuzzOutcome(f *testing.F) {
	for _, seed := range []string{
		`{"input": {"id": "e"}, "events": []}`, `{"events": null}`, `{"events": [null]}`, `{"events": [{"data_base64":1,"specversion":"1.0"}]}`, `{}`, `null`, ``, "\x00",
	} {
		f.Add([]byte(seed))
	}
	soak.Fuzz(f, func(t *testing.T, text []byte) {
		store, e := memory.New("churn"), event.Event{ID: "e", Correlation: "run"}
		if _, err := store.Put(t.Context(), outcomeKey(churn.Trainer, e), outcomeMedia, bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		out, err := Outcome(t.Context(), store, churn.Trainer, "run", "e")
		if err != nil && !churn.IsKind(err, churn.Internal) {
			t.Fatalf("kind %v: %v", churn.KindOf(err), err)
		}
		for _, e := range out {
			if e.Data == nil {
				t.Errorf("%+v", e)
			}
		}
	})
}
