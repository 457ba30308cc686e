package registrytest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
)

// Registry tests the registry that open returns, with artifacts in the store.
// Calls of open within one test return clients of the same registry, which share
// nothing else: two processes.
func Registry(t *testing.T, store blob.Store, open func(t *testing.T) registry.Registry) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"versions are numbered from 1 and come back as they were", (*suite).versions},
		{"a run has one version", (*suite).registerAgain},
		{"versions have no gap when many register at once", (*suite).registerRace},
		{"promotions follow one another", (*suite).promotions},
		{"a former champion comes back", (*suite).comeback},
		{"stages and models are apart", (*suite).apart},
		{"a promotion over another champion than expected is a Conflict", (*suite).conflict},
		{"of many who promote at once one succeeds", (*suite).promoteRace},
		{"a promotion is done once for its cause", (*suite).cause},
		{"a promotion is done once for its cause by many at once", (*suite).causeRace},
		{"what is not there is NotFound", (*suite).notFound},
		{"hostile names are Invalid", (*suite).hostile},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &suite{T: t, store: store, ctx: t.Context(), open: open, name: names()}
			s.one, s.two = open(t), open(t)
			if err := s.one.Ping(s.ctx); err != nil {
				t.Fatal(err)
			}
			c.test(s)
		})
	}
}

type suite struct {
	*testing.T
	store    blob.Store
	ctx      context.Context
	open     func(t *testing.T) registry.Registry
	name     func(string) string
	one, two registry.Registry // two clients
}

// version returns a version for Register.
func (s *suite) version(model, run string) registry.Version {
	s.Helper()
	return Version(s.T, s.store, model, run)
}

func (s *suite) register(r registry.Registry, model, run string) registry.Version {
	s.Helper()
	v, err := r.Register(s.ctx, s.version(model, run))
	if err != nil {
		s.Fatal(err)
	}
	return v
}

// client returns the client of a racer.
func (s *suite) client(i int) registry.Registry { return []registry.Registry{s.one, s.two}[i%2] }

// registered returns a model with n versions, of the runs run-1 to run-n.
func (s *suite) registered(n int) string {
	s.Helper()
	model := s.name("model")
	for i := range n {
		s.register(s.one, model, fmt.Sprintf("run-%d", i+1))
	}
	return model
}

func (s *suite) promote(r registry.Registry, model string, version, expected int64, cause string) (registry.Champion, error) {
	return r.Promote(s.ctx, registry.Champion{
		Model: model, Stage: "Production", Version: version, Run: fmt.Sprintf("run-%d", version), Cause: cause,
	}, expected)
}

func (s *suite) mustPromote(model string, version, expected int64, cause string) registry.Champion {
	s.Helper()
	c, err := s.promote(s.one, model, version, expected, cause)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// history returns the model's history as every client sees it.
func (s *suite) history(model string) []registry.Champion {
	s.Helper()
	var first []registry.Champion
	for i, r := range []registry.Registry{s.one, s.two, s.open(s.T)} {
		all, err := r.History(s.ctx, model, "Production")
		if err != nil {
			s.Fatal(err)
		}
		if i == 0 {
			first = all
		}
		if !slices.Equal(all, first) {
			s.Fatalf("client %d sees the history\n%v, and the first\n%v", i+1, all, first)
		}
	}
	return first
}

func (s *suite) versions() {
	model := s.name("model")
	for i, run := range []string{"c", "a", "b"} {
		want := s.version(model, run)
		want.Version = int64(i) + 1
		if got := s.register(s.client(i), model, run); !sameVersion(got, want) {
			s.Errorf("registered %v, want %v", got, want)
		}
		for _, r := range []registry.Registry{s.one, s.two} {
			if got, err := r.Version(s.ctx, model, want.Version); err != nil || !sameVersion(got, want) {
				s.Errorf("version %d is %v, %v, want %v", want.Version, got, err, want)
			}
		}
	}
	all, err := s.two.Versions(s.ctx, model)
	if err != nil {
		s.Fatal(err)
	}
	for i, v := range all {
		if v.Version != int64(i)+1 {
			s.Errorf("version %d is at place %d", v.Version, i+1)
		}
	}
	if len(all) != 3 {
		s.Errorf("%d versions, want 3", len(all))
	}
}

func (s *suite) registerAgain() {
	model := s.registered(2)
	want, err := s.one.Version(s.ctx, model, 1)
	if err != nil {
		s.Fatal(err)
	}
	other := s.version(model, "run-1")
	other.Tags = map[string]string{"other": "tags"}
	for _, v := range []registry.Version{s.version(model, "run-1"), other} {
		for _, r := range []registry.Registry{s.one, s.two} {
			if got, err := r.Register(s.ctx, v); err != nil || !sameVersion(got, want) {
				s.Errorf("registered again: %v, %v, want %v", got, err, want)
			}
		}
	}
	if all, err := s.two.Versions(s.ctx, model); err != nil || len(all) != 2 {
		s.Errorf("%d versions, %v, want 2", len(all), err)
	}
}

// registerRace has every run registered twice, by two clients, at once.
func (s *suite) registerRace() {
	model := s.name("model")
	var got [racers]registry.Version
	race(func(i int) {
		v, err := s.client(i).Register(s.ctx, s.version(model, fmt.Sprintf("run-%d", i/2)))
		if err != nil {
			s.Error(err)
		}
		got[i] = v
	})
	all, err := s.open(s.T).Versions(s.ctx, model)
	if err != nil {
		s.Fatal(err)
	}
	if len(all) != racers/2 {
		s.Fatalf("%d versions, want %d", len(all), racers/2)
	}
	runs := map[string]bool{}
	for i, v := range all {
		if v.Version != int64(i)+1 || runs[v.Run] {
			s.Errorf("version %d of %s is at place %d", v.Version, v.Run, i+1)
		}
		runs[v.Run] = true
	}
	for i, v := range got {
		if v.Run != fmt.Sprintf("run-%d", i/2) || v.Version < 1 || v.Version > int64(len(all)) || !sameVersion(v, all[v.Version-1]) {
			s.Errorf("racer %d was told %v", i, v)
		}
	}
}

func (s *suite) promotions() {
	model := s.registered(3)
	var want []registry.Champion
	for i, version := range []int64{2, 3, 1, 3} { // back to an older one, too
		c := registry.Champion{
			Model: model, Stage: "Production", Generation: int64(i) + 1, Version: version,
			Run: fmt.Sprintf("run-%d", version), Cause: fmt.Sprintf("cause %d: any text", i),
		}
		if i > 0 {
			c.Previous = want[i-1].Version
		}
		want = append(want, c)
		if got := s.mustPromote(model, version, int64(i), c.Cause); got != c {
			s.Errorf("promoted %v, want %v", got, c)
		}
		if got, err := s.two.Champion(s.ctx, model, "Production"); err != nil || got != c {
			s.Errorf("the champion is %v, %v, want %v", got, err, c)
		}
	}
	if got := s.history(model); !slices.Equal(got, want) {
		s.Errorf("the history is %v, want %v", got, want)
	}
}

// comeback has a former version promoted again by another run than its own, as a
// rollback does.
func (s *suite) comeback() {
	model := s.registered(2)
	s.mustPromote(model, 1, 0, "a")
	s.mustPromote(model, 2, 1, "b")
	back := registry.Champion{Model: model, Stage: "Production", Version: 1, Run: "rollback", Cause: "c"}
	want := back
	want.Generation, want.Previous = 3, 2
	for _, r := range []registry.Registry{s.one, s.two} {
		if got, err := r.Promote(s.ctx, back, 2); err != nil || got != want {
			s.Errorf("promoted again: %v, %v, want %v", got, err, want)
		}
		if got, err := r.Champion(s.ctx, model, "Production"); err != nil || got != want {
			s.Errorf("the champion is %v, %v, want %v", got, err, want)
		}
		if v, err := r.Version(s.ctx, model, 1); err != nil || v.Run != "run-1" {
			s.Errorf("version 1 is %v, %v, want that of run-1", v, err)
		}
	}
	if all := s.history(model); len(all) != 3 || all[2] != want {
		s.Errorf("the history is %v", all)
	}
}

func (s *suite) apart() {
	model, other := s.registered(1), s.name("other")
	s.register(s.one, other, "run-1")
	s.mustPromote(model, 1, 0, "cause") // the same cause everywhere
	if _, err := s.promote(s.one, other, 1, 0, "cause"); err != nil {
		s.Error(err)
	}
	c, err := s.two.Promote(s.ctx, registry.Champion{Model: model, Stage: "Staging", Version: 1, Run: "run-1", Cause: "cause"}, 0)
	if err != nil || c.Generation != 1 || c.Stage != "Staging" {
		s.Errorf("promoted to Staging: %v, %v", c, err)
	}
	models, err := s.two.Models(s.ctx)
	if err != nil || !slices.IsSorted(models) || !slices.Contains(models, model) || !slices.Contains(models, other) {
		s.Errorf("models are %q, %v: want them sorted, with %s and %s", models, err, model, other)
	}
	if len(slices.Compact(slices.Clone(models))) != len(models) {
		s.Errorf("models are %q: one is there twice", models)
	}
}

func (s *suite) conflict() {
	model := s.registered(2)
	s.mustPromote(model, 1, 0, "a")
	want := s.mustPromote(model, 2, 1, "b")
	for _, expected := range []int64{-1, 0, 1, 3, 1 << 40} {
		for _, r := range []registry.Registry{s.one, s.two} {
			_, err := s.promote(r, model, 1, expected, "c")
			wantKind(s.T, fmt.Sprintf("expected generation %d of 2", expected), err, churn.Conflict)
		}
	}
	if got := s.history(model); len(got) != 2 || got[1] != want {
		s.Errorf("the history is %v: a promotion that lost has left something", got)
	}
}

func (s *suite) promoteRace() {
	const generations = 4
	model := s.registered(racers)
	for g := range int64(generations) {
		var mu sync.Mutex
		var winners []registry.Champion
		race(func(i int) {
			c, err := s.promote(s.client(i), model, int64(i)+1, g, fmt.Sprintf("generation %d, racer %d", g, i))
			if err != nil {
				wantKind(s.T, "the loser of a race", err, churn.Conflict)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			winners = append(winners, c)
		})
		if len(winners) != 1 || winners[0].Generation != g+1 {
			s.Fatalf("generation %d has the winners %v", g+1, winners)
		}
		if got, err := s.open(s.T).Champion(s.ctx, model, "Production"); err != nil || got != winners[0] {
			s.Fatalf("the champion is %v, %v, and the winner was %v", got, err, winners[0])
		}
	}
	all := s.history(model)
	for i, c := range all {
		if c.Generation != int64(i)+1 || i > 0 && c.Previous != all[i-1].Version {
			s.Errorf("%v is at place %d", c, i+1)
		}
	}
}

func (s *suite) cause() {
	model := s.registered(3)
	want := []registry.Champion{s.mustPromote(model, 1, 0, "a"), s.mustPromote(model, 2, 1, "b"), s.mustPromote(model, 3, 2, "c")}
	for i, w := range want {
		for _, expected := range []int64{int64(i), 0, 3, 7} { // whatever is expected by now
			for _, r := range []registry.Registry{s.one, s.two} {
				got, err := s.promote(r, model, w.Version, expected, w.Cause)
				if err != nil || got != w {
					s.Errorf("repeated with generation %d expected: %v, %v, want %v", expected, got, err, w)
				}
			}
		}
	}
	if got := s.history(model); !slices.Equal(got, want) {
		s.Errorf("the history is %v, want %v", got, want)
	}
}

func (s *suite) causeRace() {
	model := s.registered(1)
	var got [racers]registry.Champion
	race(func(i int) {
		c, err := s.promote(s.client(i), model, 1, 0, "cause")
		if err != nil {
			s.Error(err)
		}
		got[i] = c
	})
	all := s.history(model)
	if len(all) != 1 {
		s.Fatalf("the history is %v, want one promotion", all)
	}
	for i, c := range got {
		if c != all[0] {
			s.Errorf("racer %d was told %v, want %v", i, c, all[0])
		}
	}
}

func (s *suite) notFound() {
	model := s.registered(1)
	for _, m := range []string{model, s.name("unknown")} {
		_, err := s.one.Champion(s.ctx, m, "Production")
		wantKind(s.T, "champion of "+m, err, churn.NotFound)
		for _, n := range []int64{-1, 0, 2, 1 << 40} {
			_, err = s.one.Version(s.ctx, m, n)
			wantKind(s.T, fmt.Sprintf("version %d of %s", n, m), err, churn.NotFound)
			_, err = s.promote(s.one, m, n, 0, "cause")
			wantKind(s.T, fmt.Sprintf("promotion of version %d of %s", n, m), err, churn.NotFound)
		}
		if all := s.history(m); len(all) != 0 {
			s.Errorf("the history of %s is %v", m, all)
		}
	}
	if all, err := s.one.Versions(s.ctx, s.name("unknown")); err != nil || len(all) != 0 {
		s.Errorf("versions of an unknown model are %v, %v", all, err)
	}
}

func (s *suite) hostile() {
	model := s.registered(1)
	for _, bad := range hostile {
		for what, call := range map[string]func() error{
			"Register, model": func() error { _, err := s.one.Register(s.ctx, s.version(bad, "run-2")); return err },
			"Register, run":   func() error { _, err := s.one.Register(s.ctx, s.version(model, bad)); return err },
			"Promote, model":  func() error { _, err := s.promote(s.one, bad, 1, 0, "cause"); return err },
			"Promote, stage": func() error {
				_, err := s.one.Promote(s.ctx, registry.Champion{Model: model, Stage: bad, Version: 1, Run: "run-1", Cause: "cause"}, 0)
				return err
			},
			"Promote, run": func() error {
				_, err := s.one.Promote(s.ctx, registry.Champion{Model: model, Stage: "Production", Version: 1, Run: bad, Cause: "cause"}, 0)
				return err
			},
			"Champion, model": func() error { _, err := s.one.Champion(s.ctx, bad, "Production"); return err },
			"Champion, stage": func() error { _, err := s.one.Champion(s.ctx, model, bad); return err },
			"Version, model":  func() error { _, err := s.one.Version(s.ctx, bad, 1); return err },
			"Versions, model": func() error { _, err := s.one.Versions(s.ctx, bad); return err },
			"History, model":  func() error { _, err := s.one.History(s.ctx, bad, "Production"); return err },
			"History, stage":  func() error { _, err := s.one.History(s.ctx, model, bad); return err },
		} {
			wantKind(s.T, fmt.Sprintf("%s %.20q", what, bad), call(), churn.Invalid)
		}
	}
	for _, bad := range []string{"", "\xff", string(make([]byte, 1025))} {
		_, err := s.promote(s.one, model, 1, 0, bad)
		wantKind(s.T, fmt.Sprintf("Promote, cause %.20q", bad), err, churn.Invalid)
	}
	if all, err := s.two.Versions(s.ctx, model); err != nil || len(all) != 1 {
		s.Errorf("%d versions, %v: a refused one has left something", len(all), err)
	}
	if all := s.history(model); len(all) != 0 {
		s.Errorf("the history is %v: a refused promotion has left something", all)
	}
}
