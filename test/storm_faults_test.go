package test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
)

// weather is what has happened so far.
type weather struct {
	mu        sync.Mutex
	runs      map[string]bool // that have ended
	positions map[churn.Topic]bus.Position
	kinds     map[string]int
	since     time.Time // end of the last fault that no run has ended after
	waits     []time.Duration
}

func (w *weather) position(t churn.Topic) bus.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.positions == nil {
		w.positions = map[churn.Topic]bus.Position{}
	}
	if w.positions[t] == nil {
		w.positions[t] = bus.Position{}
	}
	return w.positions[t]
}

func (w *weather) ended(run string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.runs == nil {
		w.runs = map[string]bool{}
	}
	if !w.runs[run] && !w.since.IsZero() {
		w.waits, w.since = append(w.waits, time.Since(w.since)), time.Time{}
	}
	w.runs[run] = true
}

func (w *weather) endedRuns() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.runs)
}

// happened notes a fault that is over.
func (w *weather) happened(kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kinds == nil {
		w.kinds = map[string]int{}
	}
	w.kinds[kind]++
	w.since = time.Now()
}

func (w *weather) count() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.kinds {
		n += k
	}
	return n
}

func (w *weather) tally() string { return tallied(w.kinds) }

func (w *weather) recoveries() string {
	if len(w.waits) == 0 {
		return "none seen"
	}
	slices.Sort(w.waits)
	at := func(q float64) float64 { return w.waits[int(q*float64(len(w.waits)-1))].Seconds() }
	return fmt.Sprintf("%d, median %.1f s, 90 %% within %.1f s, longest %.1f s", len(w.waits), at(0.5), at(0.9), at(1))
}

// fault is one thing that can go wrong; it returns when it is over.
type fault struct {
	kind   string
	weight int
	strike func(s *storm, r *rand.Rand) error
	kills  bool // a service
}

var faultKinds = []fault{
	{"service killed", 8, func(s *storm, r *rand.Rand) error { return killed(s.anyService(r), r) }, true},
	{"service paused", 4, func(s *storm, r *rand.Rand) error { return paused(s.anyService(r), r, 9) }, false}, // 6 s and it is thrown out of its group
	{"service restarted", 3, func(s *storm, r *rand.Rand) error { return restarted(s.anyService(r)) }, true},
	{"every trainer killed", 1, func(s *storm, r *rand.Rand) error { return s.allKilled("trainer", r) }, true},
	{"both gates killed", 1, func(s *storm, r *rand.Rand) error { return s.allKilled("gate", r) }, true},
	{"broker killed", 1, func(s *storm, r *rand.Rand) error { return killed(s.broker, r) }, false},
	{"broker paused", 1, func(s *storm, r *rand.Rand) error { return paused(s.broker, r, 4) }, false},
	{"store killed", 2, func(s *storm, r *rand.Rand) error { return killed(s.store, r) }, false},
	{"store paused", 1, func(s *storm, r *rand.Rand) error { return paused(s.store, r, 4) }, false},
	{"connections cut", 4, func(s *storm, r *rand.Rand) error { return s.cutOff(r) }, false},
	{"events repeated out of order", 4, func(s *storm, r *rand.Rand) error { return s.repeat(r) }, false},
	{"registry killed", 2, func(s *storm, r *rand.Rand) error { return killed(s.registry, r) }, false},
	{"registry paused", 2, func(s *storm, r *rand.Rand) error { return paused(s.registry, r, 9) }, false},
	{"store's disk full", 2, func(s *storm, r *rand.Rand) error { return s.disk.filled(r) }, false},
}

// possible returns the faults that can happen here.
func (s *storm) possible() []fault {
	return slices.DeleteFunc(slices.Clone(faultKinds), func(f fault) bool {
		return s.config.Soak > 0 && f.kills ||
			s.disk == nil && f.kind == "store's disk full" ||
			s.registry == nil && strings.HasPrefix(f.kind, "registry")
	})
}

// faults lets faults happen one after another, with a moment between them.
func (s *storm) faults(r *rand.Rand) {
	s.t.Helper()
	kinds, total := s.possible(), 0
	for _, f := range kinds {
		total += f.weight
	}
	end := time.Now().Add(time.Duration(s.config.Soak) * time.Minute)
	for n := 0; s.config.Soak == 0 && n < s.config.Faults || time.Now().Before(end); n++ {
		at, i := r.IntN(total), 0
		for ; at >= kinds[i].weight; i++ {
			at -= kinds[i].weight
		}
		time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
		if err := kinds[i].strike(s, r); err != nil {
			s.t.Fatalf("%s: %v", kinds[i].kind, err)
		}
		s.happened(kinds[i].kind)
	}
}

func (s *storm) anyService(r *rand.Rand) *stormProcess { return s.services[r.IntN(len(s.services))] }

// killed kills a process and starts it again a moment later.
func killed(p *stormProcess, r *rand.Rand) error {
	p.Kill()
	time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
	return p.Start()
}

// paused lets a process stand still for at most so many seconds.
func paused(p *stormProcess, r *rand.Rand, seconds int) error {
	p.Pause()
	time.Sleep(time.Duration(r.IntN(seconds*1000)) * time.Millisecond)
	p.Resume()
	return nil
}

// restarted asks a process to stop, and starts it again.
func restarted(p *stormProcess) error {
	p.Stop()
	return p.Start()
}

func (s *storm) allKilled(name string, r *rand.Rand) error {
	var of []*stormProcess
	for _, p := range s.services {
		if p.name == name {
			of = append(of, p)
			p.Kill()
		}
	}
	time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
	for _, p := range of {
		if err := p.Start(); err != nil {
			return err
		}
	}
	return nil
}

func (s *storm) cutOff(r *rand.Rand) error {
	names := slices.Sorted(maps.Keys(s.links))
	l := s.links[names[r.IntN(len(names))]]
	l.cut()
	time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
	l.restore()
	return nil
}

// repeat publishes some of a topic's records again, in another order. A broker
// that is away is waited for.
func (s *storm) repeat(r *rand.Rand) error {
	topics := []churn.Topic{churn.RetrainRequested, churn.FeaturesReady, churn.ModelTrained, churn.ModelEvaluated}
	topic := topics[r.IntN(len(topics))].Name(s.prefix)
	pick := rand.New(rand.NewPCG(r.Uint64(), 0))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		var all []bus.Record
		err := s.bus.Read(ctx, topic, nil, false, func(_ context.Context, r bus.Record) error {
			all = append(all, r)
			return nil
		})
		if err == nil {
			pick.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			err = s.bus.Publish(ctx, all[:min(len(all), 6)]...)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}
