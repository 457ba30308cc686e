package test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// book is the log as it was read, each event once.
type book struct {
	events                 map[churn.Topic]map[string]event.Event // by id
	records, repeats, dead int
}

// read reads the whole log. Two events of one id must be one event.
func (s *storm) read() *book {
	s.t.Helper()
	b := &book{events: map[churn.Topic]map[string]event.Event{}}
	for _, spec := range churn.Topology {
		if spec.Topic == churn.RunProgress {
			continue
		}
		of := map[string]event.Event{}
		b.events[spec.Topic] = of
		s.each(spec.Topic.Name(s.prefix), func(r bus.Record) {
			e, err := event.Decode(r, s.prefix)
			if err != nil {
				s.t.Errorf("%s/%d/%d is no event: %v", r.Topic, r.Partition, r.Offset, err)
				return
			}
			b.records++
			if before, there := of[e.ID]; there {
				b.repeats++
				if !proto.Equal(before.Data, e.Data) {
					s.t.Errorf("%s: event %s is there with two contents", spec.Topic, e.ID)
				}
			}
			of[e.ID] = e
		})
	}
	for _, of := range churn.Stages() {
		s.each(of.DeadLetterTopic().Name(s.prefix), func(r bus.Record) {
			b.dead++
			s.t.Errorf("a dead letter of the %s, of %s, after %s attempts: %s", of, header(r, "dlq_topic"), header(r, "dlq_attempts"), header(r, "dlq_message"))
		})
	}
	return b
}

func (s *storm) each(topic string, f func(bus.Record)) {
	s.t.Helper()
	err := s.bus.Read(s.t.Context(), topic, nil, false, func(_ context.Context, r bus.Record) error { f(r); return nil })
	if err != nil {
		s.t.Fatalf("reading %s: %v", topic, err)
	}
}

// check holds the log against every invariant.
func (b *book) check(t *testing.T, s *storm, asked []string) {
	t.Helper()
	b.checkEnds(t, asked)
	b.checkHops(t)
	chains := b.chains()
	for model, chain := range chains {
		checkChain(t, model, chain)
		b.checkRegistry(t, s, model, chain)
	}
	b.checkTable(t, chains)
	b.checkArtifacts(t, s)
}

// What was acknowledged is there, and every request has exactly one end.
func (b *book) checkEnds(t *testing.T, asked []string) {
	ends := map[string][]string{}
	for _, topic := range endTopics {
		for id, e := range b.events[topic] {
			ends[e.Run()] = append(ends[e.Run()], string(topic)+" "+id)
		}
	}
	for _, id := range asked {
		if _, there := b.events[churn.RetrainRequested][id]; !there {
			t.Errorf("request %s was acknowledged, and is not in the log", id)
		}
	}
	for id, e := range b.events[churn.RetrainRequested] {
		if got := ends[e.Run()]; len(got) != 1 {
			t.Errorf("request %s has %d ends: %v", id, len(got), got)
		}
		delete(ends, e.Run())
	}
	if len(ends) > 0 {
		t.Errorf("ends that nobody asked for: %v", ends)
	}
}

// Every event that a stage reads has an answer.
func (b *book) checkHops(t *testing.T) {
	answered := map[string]bool{}
	for _, of := range b.events {
		for _, e := range of {
			answered[e.Causation] = true
		}
	}
	for _, topic := range []churn.Topic{churn.RetrainRequested, churn.FeaturesReady, churn.ModelTrained, churn.ModelEvaluated} {
		for id, e := range b.events[topic] {
			if m, ok := e.Data.(*eventv1.ModelTrained); ok && m.GetTrials() > 1 {
				continue // of several, one has an answer: see checkEnds
			}
			if !answered[id] {
				t.Errorf("%s: nothing follows from event %s", topic, id)
			}
		}
	}
}

// chains returns the promotions of each model, by generation.
func (b *book) chains() map[string][]*eventv1.ModelPromoted {
	chains := map[string][]*eventv1.ModelPromoted{}
	for _, e := range b.events[churn.ModelPromoted] {
		m := e.Data.(*eventv1.ModelPromoted)
		chains[m.GetModel()] = append(chains[m.GetModel()], m)
	}
	for _, c := range chains {
		slices.SortFunc(c, func(a, b *eventv1.ModelPromoted) int { return int(a.GetGeneration() - b.GetGeneration()) })
	}
	return chains
}

// The champions of a model form one chain.
func checkChain(t *testing.T, model string, chain []*eventv1.ModelPromoted) {
	before, versions := int64(0), map[int64]bool{}
	for i, m := range chain {
		if m.GetGeneration() != int64(i+1) || m.GetPreviousVersion() != before || versions[m.GetVersion()] {
			t.Errorf("%s: promotion %d has generation %d, version %d after %d, and the one before is %d",
				model, i+1, m.GetGeneration(), m.GetVersion(), m.GetPreviousVersion(), before)
		}
		before, versions[m.GetVersion()] = m.GetVersion(), true
	}
}

// Versions have no gap and no twin, and the registry tells the same story as the
// log.
func (b *book) checkRegistry(t *testing.T, s *storm, model string, chain []*eventv1.ModelPromoted) {
	versions, err := s.parts.Registry.Versions(t.Context(), model)
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]bool{}
	for i, v := range versions {
		if v.Version != int64(i+1) || runs[v.Run] {
			t.Errorf("%s: version %d is the %d-th, of run %s, which has others: %v", model, v.Version, i+1, v.Run, runs[v.Run])
		}
		runs[v.Run] = true
	}
	history, err := s.parts.Registry.History(t.Context(), model, churn.ServingStage)
	if err != nil {
		t.Fatal(err)
	}
	if len(history) != len(chain) {
		t.Fatalf("%s: the registry has %d changes of champion, and the log %d", model, len(history), len(chain))
	}
	for i, h := range history {
		if m := chain[i]; h.Version != m.GetVersion() || h.Generation != m.GetGeneration() || h.Previous != m.GetPreviousVersion() {
			t.Errorf("%s: the registry has %+v, and the log %v", model, h, m)
		}
	}
}

// The compacted table holds the newest promotion of each model, last.
func (b *book) checkTable(t *testing.T, chains map[string][]*eventv1.ModelPromoted) {
	newest := map[string]int64{}
	for _, e := range b.events[churn.ModelCurrent] {
		m := e.Data.(*eventv1.ModelPromoted)
		newest[m.GetModel()] = max(newest[m.GetModel()], m.GetGeneration())
	}
	for model, chain := range chains {
		if newest[model] != int64(len(chain)) {
			t.Errorf("%s: the table has generation %d of %d", model, newest[model], len(chain))
		}
	}
}

// Every artifact that any event names is there, with its size and digest.
func (b *book) checkArtifacts(t *testing.T, s *storm) {
	seen := map[string]*blob.Artifact{}
	for _, of := range b.events {
		for _, e := range of {
			churn.WalkArtifacts(e.Data, func(a *blob.Artifact) {
				if a.GetSha256() == "" {
					return // of a request, which names the object alone
				}
				before, there := seen[a.GetUri()]
				if there && before.GetSha256() != a.GetSha256() {
					t.Errorf("%s has two digests", a.GetUri())
				}
				if there {
					return
				}
				seen[a.GetUri()] = a
				if _, err := s.parts.Store.Get(t.Context(), a, 1<<30); err != nil { // which verifies it
					t.Errorf("%s: %v", a.GetUri(), err)
				}
			})
		}
	}
	t.Logf("%d artifacts verified", len(seen))
}

// ends says how many runs ended in which way.
func (b *book) ends() string {
	m := map[string]int{}
	for _, topic := range endTopics {
		m[string(topic)] = len(b.events[topic])
	}
	return fmt.Sprint(tallied(m))
}
