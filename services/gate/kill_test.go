package gate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/embedded"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/registry/objectstore"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// asGate tells this program to be a gate on the store that its value names, rather
// than to run tests.
const asGate = "GATE_TEST_STORE"

func TestMain(m *testing.M) {
	if c := os.Getenv(asGate); c != "" {
		if err := beGate(c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// line is what a gate's process is told and answers: one a line.
type line struct {
	Events json.RawMessage // a CloudEvents batch
	Error  string
}

// beGate answers events on standard input until it ends.
func beGate(store string) error {
	var c s3.Config
	if err := json.Unmarshal([]byte(store), &c); err != nil {
		return err
	}
	s, err := s3.New(c)
	if err != nil {
		return err
	}
	h, _ := start(s)
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var l line
		if err := in.Decode(&l); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		events, err := event.DecodeBatch(l.Events)
		if err != nil {
			return err
		}
		l = line{}
		answer, err := h.Handle(context.Background(), events[0])
		if err != nil {
			l.Error = err.Error()
		} else if l.Events, err = event.EncodeBatch(answer); err != nil {
			return err
		}
		if err := out.Encode(l); err != nil {
			return err
		}
	}
}

// gates makes processes that are gates.
type gates struct {
	t       *testing.T
	program string
	store   string
}

// process is a gate that may be killed at a fault point, and is then started again
// without one.
type process struct {
	gates
	point  string // where it is killed; empty: nowhere
	killed bool

	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (g gates) start(point string) *process {
	p := &process{gates: g, point: point}
	p.run("CHURN_FAULT=" + point)
	return p
}

func (p *process) run(env string) {
	p.cmd = exec.Command(p.program)
	p.cmd.Env = append(os.Environ(), asGate+"="+p.store, env)
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		p.t.Error(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Error(err)
	}
	p.in, p.out = in, bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		p.t.Error(err)
	}
}

// end lets the process end.
func (p *process) end() {
	_ = p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("a gate ended with %v", err)
	}
}

// handle has the process decide, and again if it was killed over it.
func (p *process) handle(e event.Event) event.Event {
	batch, err := event.EncodeBatch([]event.Event{e})
	if err != nil {
		p.t.Error(err)
		return event.Event{}
	}
	for {
		err := json.NewEncoder(p.in).Encode(line{Events: batch})
		var text []byte
		if err == nil {
			text, err = p.out.ReadBytes('\n')
		}
		if err == nil {
			var l line
			if err := json.Unmarshal(text, &l); err != nil || l.Error != "" {
				p.t.Errorf("a gate answered %s (%v)", text, err)
				return event.Event{}
			}
			out, err := event.DecodeBatch(l.Events)
			if err != nil || len(out) != 1 {
				p.t.Errorf("a gate answered %s (%v)", text, err)
				return event.Event{}
			}
			return out[0]
		}
		_ = p.cmd.Wait() // how it ended is in its state
		status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		if p.killed || p.point == "" || !ok || status.Signal() != syscall.SIGKILL {
			p.t.Errorf("a gate ended with %v (%v)", p.cmd.ProcessState, err)
			return event.Event{}
		}
		p.killed = true
		p.run("CHURN_FAULT=")
	}
}

// decide takes a good candidate of the model to its end.
func (p *process) decide(store blob.Store, model, request string, edit ...func(*eventv1.Plan)) event.Event {
	edit = append(edit, func(plan *eventv1.Plan) { plan.Model = model })
	e := trained(request, edit...)
	for e.Topic == churn.ModelTrained {
		e = p.handle(evaluate(p.t, store, e, good, equal))
		if e.Topic == churn.ApprovalRequested {
			e = p.handle(answer(e, true, "adam"))
		}
	}
	return e
}

// Two gates decide on candidates of one model at the same time, one of them is
// killed at some point of its decision and started again: there is one chain of
// champions, without gap or twin, and every candidate is in it. Every other time
// the promotions need approval, so that gates die with a question asked or an
// answer taken.
func TestOneOfTwoGatesKilled(t *testing.T) {
	t.Parallel()
	const times, workers = 100, 4
	points := []string{"registered", "promoted", "written", "handled", "stored", "claimed", "asked", "settled"}
	store, g := newGates(t)
	var mu sync.Mutex
	killed := map[string]int{}
	race(workers, func(w int) {
		random := rand.New(rand.NewPCG(42, uint64(w)))
		alive := g.start("")
		defer alive.end()
		for i := range times / workers {
			var edit []func(*eventv1.Plan)
			choice := points[:6]
			if i%2 == 1 {
				edit, choice = append(edit, asks("1h")), points
			}
			point := choice[random.IntN(len(choice))]
			name := fmt.Sprintf("model-%d-%d", w, i)
			if g.twoDecide(store, alive, name, point, edit...) {
				mu.Lock()
				killed[point]++
				mu.Unlock()
			}
			if t.Failed() {
				t.Errorf("%s, killed at %s", name, point)
				return
			}
		}
	})
	for _, p := range points {
		if killed[p] == 0 {
			t.Errorf("no gate was killed at %s", p)
		}
	}
	t.Logf("%d times, killed at %v", times, killed)
}

// twoDecide has two gates decide on a candidate each, one of which is killed at
// the point; it reports whether it was.
func (g gates) twoDecide(store blob.Store, alive *process, model, point string, edit ...func(*eventv1.Plan)) bool {
	victim := g.start("gate." + point)
	var ends [2]event.Event
	race(2, func(i int) {
		ends[i] = []*process{alive, victim}[i].decide(store, model, fmt.Sprintf("%s, request %d", model, i), edit...)
	})
	victim.end()
	checkChain(g.t, store, model, ends[:])
	return victim.killed
}

// checkChain wants each of the promotions once in the model's chain, and nothing
// else.
func checkChain(t *testing.T, store blob.Store, model string, ends []event.Event) {
	t.Helper()
	r := objectstore.New(store)
	versions, err := r.Versions(t.Context(), model)
	if err != nil {
		t.Error(err)
		return
	}
	changes, err := r.History(t.Context(), model, churn.ServingStage)
	if err != nil {
		t.Error(err)
		return
	}
	if len(versions) != len(ends) || len(changes) != len(ends) {
		t.Errorf("%s: %d versions and %d promotions, want %d of both", model, len(versions), len(changes), len(ends))
		return
	}
	want := map[string]int64{}
	for _, v := range versions {
		want[v.Run] = v.Version
	}
	got := map[string]int64{}
	for _, e := range ends {
		m, ok := e.Data.(*eventv1.ModelPromoted)
		if !ok {
			t.Errorf("a run ended as %v", e.Data)
			continue
		}
		got[m.GetRun()] = m.GetVersion()
		c := changes[m.GetGeneration()-1]
		if c.Version != m.GetVersion() || c.Run != m.GetRun() || c.Previous != m.GetPreviousVersion() {
			t.Errorf("the registry has %v and the event says %v", c, m)
		}
	}
	if !maps.Equal(got, want) || len(want) != len(ends) {
		t.Errorf("promoted were %v, and registered %v", got, want)
	}
	for i, c := range changes {
		if c.Generation != int64(i)+1 || i > 0 && c.Previous != changes[i-1].Version {
			t.Errorf("%v is at place %d", c, i+1)
		}
	}
}

// newGates returns a store that other processes reach, and gates on it, with fault
// points built in.
func newGates(t *testing.T) (blob.Store, gates) {
	t.Helper()
	g := gates{t: t, program: filepath.Join(t.TempDir(), "gate.test")}
	build := exec.Command("go", "test", "-c", "-tags", "faults", "-o", g.program, ".")
	build.Dir = filepath.Dir(testdata)
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	gateway, err := embedded.StartStore(t.Context(), t.TempDir(), "127.0.0.1:0", "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gateway.Close() })
	c := s3.Config{Endpoint: gateway.Endpoint(), AccessKey: gateway.AccessKey(), SecretKey: gateway.SecretKey(), Bucket: "churn"}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	g.store = string(text)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections) // which the gateway would wait for
	c.Transport = transport
	store, err := s3.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store, g
}
