package audit

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/policy"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// row is a row of scores.parquet.
type row struct {
	Key       string   `parquet:"__key"`
	Label     int32    `parquet:"label"`
	Candidate float64  `parquet:"candidate"`
	Champion  *float64 `parquet:"champion,optional"`
}

// world is a pipeline that has only an evaluator and a gate: candidates are scores
// that are drawn, and everything else is as it is in fact.
type world struct {
	t      testing.TB
	store  blob.Store
	gate   *eventv1.Gate // what every run asks for
	asks   bool          // a person agrees to every promotion
	labels []bool
	keys   []string
	log    []record
	now    time.Time
	looks  int64

	champion *eventv1.Champion
	scores   []float64 // the champion's
	files    map[int]*blob.Artifact
}

type record struct {
	event event.Event
	at    time.Time
}

func newWorld(t testing.TB, store blob.Store, rows int, gate *eventv1.Gate) *world {
	w := &world{t: t, store: store, gate: gate, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), files: map[int]*blob.Artifact{}}
	draw := rand.New(rand.NewPCG(1, 0))
	for i := range rows {
		w.labels = append(w.labels, draw.Float64() < 0.27)
		w.keys = append(w.keys, fmt.Sprintf("%032x", i))
	}
	return w
}

// candidate returns the scores of the n-th candidate: some are better than others.
func (w *world) candidate(n int) []float64 {
	draw := rand.New(rand.NewPCG(2, uint64(n)))
	strength := 1.2 + 0.2*draw.Float64() + float64(n)/2000
	scores := make([]float64, len(w.labels))
	common := rand.New(rand.NewPCG(3, 0)) // what every model gets wrong
	for i, positive := range w.labels {
		x := common.NormFloat64() + 0.3*draw.NormFloat64()
		if positive {
			x += strength
		}
		scores[i] = 1 / (1 + math.Exp(1.5-x))
	}
	return scores
}

// file stores the scores of a candidate beside the champion's.
func (w *world) file(n int, run string, scores []float64) *blob.Artifact {
	rows := make([]row, len(scores))
	for i := range rows {
		rows[i] = row{Key: w.keys[i], Candidate: scores[i]}
		if w.labels[i] {
			rows[i].Label = 1
		}
		if w.scores != nil {
			rows[i].Champion = &w.scores[i]
		}
	}
	var out bytes.Buffer
	if err := parquet.Write(&out, rows); err != nil {
		w.t.Fatal(err)
	}
	a, err := w.store.Put(w.t.Context(), churn.ArtifactKey(run, churn.Evaluator, churn.ScoresTable), "application/vnd.apache.parquet", bytes.NewReader(out.Bytes()))
	if err != nil {
		w.t.Fatal(err)
	}
	w.files[n] = a
	return a
}

func (w *world) put(e event.Event) event.Event {
	w.now = w.now.Add(time.Minute)
	w.log = append(w.log, record{e, w.now})
	return e
}

func artifact(name string) *blob.Artifact {
	return &blob.Artifact{Uri: "s3://churn/" + name, Sha256: fmt.Sprintf("%064x", len(name)), Size: 1}
}

func (w *world) plan() *eventv1.Plan {
	return &eventv1.Plan{
		Model: "m", Gate: w.gate, Dataset: artifact("data.csv"), Spec: artifact("spec.yaml"),
		Split: &eventv1.Split{Test: 0.2, Validation: 0.15}, RequestedBy: "ada",
	}
}

// retrain is a run, from request to decision.
func (w *world) retrain(n int) {
	request := w.put(event.Event{
		Topic: churn.RetrainRequested, ID: fmt.Sprintf("request-%d", n), Time: w.now, Type: churn.RetrainRequested.Type(),
		Source: "/test", Key: "m", Data: &eventv1.RetrainRequested{Model: "m"},
	})
	run, scores := request.Run(), w.candidate(n)
	m := &eventv1.ModelEvaluated{
		Plan: w.plan(), Candidate: &eventv1.TrainedModel{Model: artifact(run)}, Champion: w.champion,
		Features:   &eventv1.FeatureSet{Preprocessor: artifact("preprocessor"), Profile: artifact("profile"), Table: artifact("features")},
		Evaluation: &eventv1.Evaluation{Scores: w.file(n, run, scores)},
	}
	candidate := w.sample(scores)
	m.Metrics = w.metrics(candidate)
	look := int64(0)
	if w.champion != nil {
		champion := w.sample(w.scores)
		var err error
		if m.Comparison, err = compare(candidate, champion); err != nil {
			w.t.Fatal(err)
		}
		m.ChampionMetrics = w.metrics(champion)
		w.looks++
		look = w.looks
	}
	evaluated := w.put(request.Reply(churn.Evaluator, churn.ModelEvaluated, 0, "m", m))
	w.decide(evaluated, m, scores, look)
}

func (w *world) decide(e event.Event, m *eventv1.ModelEvaluated, scores []float64, look int64) {
	p, err := policy.For(w.t.Context(), w.store, w.gate)
	if err != nil {
		w.t.Fatal(err)
	}
	rules, err := p.Judge(policy.Evidence{Evaluated: m, Look: look})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(policy.Failed(rules)) > 0 || w.gate.GetDryRun() {
		w.put(e.Reply(churn.Gate, churn.ModelRejected, 0, "m", &eventv1.ModelRejected{Plan: m.GetPlan(), Model: "m", Run: e.Run(), Rules: rules}))
		return
	}
	var approval *eventv1.Approval
	if w.asks {
		ask := w.put(e.Reply(churn.Gate, churn.ApprovalRequested, 0, "m", &eventv1.ApprovalRequested{
			Model: "m", Run: e.Run(), Plan: m.GetPlan(), ExpiresAt: w.now.Add(time.Hour).Format(time.RFC3339),
		}))
		answer := ask.Reply(churn.Client, churn.ApprovalDecided, 0, "m", &eventv1.ApprovalDecided{
			Model: "m", Run: e.Run(), ApprovalId: ask.ID, Approved: true, DecidedBy: "bob",
		})
		answer.Time = w.now
		e = w.put(answer)
		approval = &eventv1.Approval{ApprovalId: ask.ID, DecidedBy: "bob", DecidedAt: w.now.Format(time.RFC3339)}
	}
	w.promote(e, &eventv1.ModelPromoted{
		Plan: m.GetPlan(), Run: e.Run(), Rules: rules, Candidate: m.GetCandidate(), Features: m.GetFeatures(), Metrics: m.GetMetrics(), Approval: approval,
	}, scores)
}

func (w *world) promote(e event.Event, m *eventv1.ModelPromoted, scores []float64) {
	generation := w.champion.GetGeneration() + 1
	m.Model, m.Generation, m.Version, m.PreviousVersion = "m", generation, max(m.GetVersion(), generation), w.champion.GetVersion()
	w.champion = &eventv1.Champion{
		Version: m.GetVersion(), Generation: generation, Run: m.GetRun(),
		Model: m.GetCandidate().GetModel(), Preprocessor: m.GetFeatures().GetPreprocessor(),
	}
	w.scores = scores
	w.put(e.Reply(churn.Gate, churn.ModelPromoted, 0, "m", m))
}

func (w *world) sample(scores []float64) *stat.Sample {
	s, err := stat.New(w.labels, scores)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) metrics(s *stat.Sample) *eventv1.Metrics {
	m, err := metrics(s)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// runs folds the log.
func (w *world) runs() fold.Runs {
	runs := fold.Runs{}
	for _, r := range w.log {
		runs.AddAt(r.event, r.at)
	}
	return runs
}

// whatIf replays the world, which has one path.
func (w *world) whatIf(q Question) Path {
	w.t.Helper()
	paths, err := Replay(context.Background(), w.store, w.runs(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(paths) != 1 {
		w.t.Fatalf("%d paths", len(paths))
	}
	return paths[0]
}

// insteadOf returns a question: what if every run had asked this of the gate?
func insteadOf(gate *eventv1.Gate) Question {
	return Question{Change: func(g *eventv1.Gate) {
		g.MinAuc, g.MinAccuracy, g.Policy, g.Margin, g.Alpha, g.DryRun = gate.MinAuc, gate.MinAccuracy, gate.Policy, gate.Margin, gate.Alpha, gate.DryRun
	}}
}

// verdicts are the ends of a world's runs, in order.
func (w *world) verdicts() map[string]Verdict {
	out := map[string]Verdict{}
	for id, run := range w.runs() {
		out[id] = Verdict(run.Status())
	}
	return out
}

// person is something that somebody asks for and the gate does.
func (w *world) person(topic churn.Topic, request proto.Message, m *eventv1.ModelPromoted) {
	e := w.put(event.Event{
		Topic: topic, ID: string(topic) + w.now.String(), Time: w.now, Type: topic.Type(), Source: "/test", Key: "m", Data: request,
	})
	w.promote(e, m, w.scores)
}
