package gate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/audit"
	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// past is a gate's past: runs of every kind, one after the other.
type past struct {
	runs fold.Runs
	now  time.Time
}

func (p *past) put(e event.Event) event.Event {
	p.now = p.now.Add(time.Second)
	p.runs.AddAt(e, p.now)
	return e
}

// kinds are what runs ask of the gate.
var kinds = []func(*eventv1.Plan){
	func(*eventv1.Plan) {},
	func(p *eventv1.Plan) { p.Gate.Policy, p.Gate.Alpha = churn.MustBeBetter, 0.5 },
	func(p *eventv1.Plan) { p.Gate.Policy = "" }, // of before there was a choice
	func(p *eventv1.Plan) { p.Gate.MinAuc = 0.85 },
	func(p *eventv1.Plan) { p.Gate.DryRun = true },
	asks("1h"),
	asks("1h/not-by-requester"),
	func(p *eventv1.Plan) { asks("1h/not-by-requester")(p); p.RequestedBy = "" },
}

// decide adds n evaluations of a model, all decided by the gate itself.
func (p *past) decide(t testing.TB, store blob.Store, model string, n int) {
	t.Helper()
	h, _ := start(store)
	draw := rand.New(rand.NewPCG(1, uint64(len(p.runs))))
	for i := range n {
		e := trained(fmt.Sprintf("%s: %d", model, i), kinds[draw.IntN(len(kinds))], func(p *eventv1.Plan) {
			p.Model, p.Split.Salt = model, fmt.Sprint(i/(n/2)) // two hold-outs
		})
		candidate, champion := metrics(0.82+0.04*draw.Float64(), 0.77+0.04*draw.Float64()), metrics(0.82+0.04*draw.Float64(), 0.8)
		out := p.put(handle(t, h, p.put(evaluate(t, store, e, candidate, champion))))
		if out.Topic == churn.ApprovalRequested {
			p.put(handle(t, h, p.put(answer(out, draw.IntN(3) > 0, "adam"))))
		}
	}
}

// What if the policy had been what it was? Then all is as it was decided: whom the
// gate promoted, whom it rejected, and who was in production when. No artifact is
// read for that.
func TestWhatIfNothingHadBeenOtherwise(t *testing.T) {
	t.Parallel()
	const models, evaluations = 20, 50
	p := &past{runs: fold.Runs{}, now: time.Now().UTC()}
	stores := map[string]blob.Store{}
	for i := range models {
		name := fmt.Sprintf("model-%d", i)
		stores[name] = newStore()
		p.decide(t, stores[name], name, evaluations)
	}
	paths, err := audit.Replay(t.Context(), stores["model-0"], p.runs, audit.Question{})
	if err != nil || len(paths) != models {
		t.Fatalf("%d paths, %v", len(paths), err)
	}
	ends := map[audit.Verdict]int{}
	for _, path := range paths {
		for _, d := range path.Decisions {
			ends[d.Was]++
			if d.WouldBe != audit.Verdict(p.runs[d.Run].Status()) {
				t.Errorf("run %s is said to have been %s, and to become %s: %s", d.Run, d.Was, d.WouldBe, d.Why)
			}
		}
		if len(path.Decisions) != evaluations || path.Read != 0 {
			t.Errorf("%s: %d decisions, %d artifacts read", path.Model, len(path.Decisions), path.Read)
		}
		live, err := objectstore.New(stores[path.Model]).History(t.Context(), path.Model, path.Stage)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(path.WouldBe, live, func(s audit.Step, c registry.Champion) bool { return s.Run == c.Run }) {
			t.Errorf("%s: champions %v, want %v", path.Model, path.WouldBe, live)
		}
	}
	if ends[audit.Promoted] < 100 || ends[audit.Rejected] < 100 || ends[audit.Promoted]+ends[audit.Rejected] != models*evaluations {
		t.Errorf("the decisions are %v", ends)
	}
}
