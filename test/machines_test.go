package test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// onMachines is a request for a training by two machines that takes a while.
func onMachines(id string) []string {
	return append(request(id), "--machines", "2", "--num-iterations", "3000", "--early-stopping-rounds", "0", "--learning-rate", "0.0025", "--num-leaves", "15")
}

// One model by two trainers, with strangers at both doors. The one that lends is
// killed, which the one that leads says; then the one that leads is. Every digest
// and the stream of events are those of one undisturbed process with two workers.
func TestTwoTrainersTrainOneModel(t *testing.T) {
	t.Parallel()
	alone := newStack(t)
	alone.patience = 6 * time.Minute
	var one, two runDetail
	alone.want(0, &one, onMachines("same")...)

	cluster := clusterStack(t)
	cluster.patience = 6 * time.Minute
	p := pair{s: cluster, doors: [2]string{freeAddr(t), freeAddr(t)}}
	cluster.env = append(cluster.env, "KAFKA_SESSION_TIMEOUT=6s", // the least that Kafka allows
		"CHURN_TRAINER_PEERS="+strings.Join(p.doors[:], ","), "CHURN_TRAINER_SECRET="+strings.Repeat("secret", 8))
	for _, service := range services {
		if service != string(churn.Trainer) {
			cluster.background(service)
		}
	}
	p.start(0)
	p.start(1)
	p.bus = busOf(t, cluster)
	cluster.want(0, nil, append(onMachines("same"), "--wait=false")...)
	lender := p.lender()
	for _, door := range p.doors {
		stranger(t, door)
	}
	p.kill(lender)
	eventually(t, "the leader to say whom it has lost", func() error {
		if !bytes.Contains(logOf(t, p.trainers[1-lender]), []byte("member 2 of 2 ("+p.doors[lender]+") was lost")) {
			return errors.New("it does not")
		}
		return nil
	})
	p.start(lender)
	leader := 1 - p.lender()
	p.kill(leader)
	p.start(leader)
	cluster.want(0, &two, onMachines("same")...)
	if two.Status != "promoted" || !maps.Equal(one.digests(), two.digests()) {
		t.Errorf("status %s, digests\n%v\n%v", two.Status, one.digests(), two.digests())
	}
	compareStreams(t, unique(alone.stream()), unique(cluster.stream()))
}

// pair is two trainers that lend one another workers.
type pair struct {
	s        *aStack
	doors    [2]string
	trainers [2]*exec.Cmd
	bus      bus.Bus
}

func (p *pair) start(i int) {
	p.trainers[i] = p.s.background("trainer", "--trainer-listen", p.doors[i])
}

func (p *pair) kill(i int) {
	_ = p.trainers[i].Process.Kill()
	_ = p.trainers[i].Wait()
}

// lender waits until one trains with the other's worker, and returns which has lent
// it. The group may still change hands once more: then it is waited for anew.
func (p *pair) lender() int {
	p.s.t.Helper()
	for {
		i := -1
		eventually(p.s.t, "a trainer to lend a worker", func() error {
			if i = p.lends(); i < 0 {
				return errors.New("neither does")
			}
			return nil
		})
		since, err := p.bus.End(p.s.t.Context(), progressTopic)
		if err != nil {
			p.s.t.Fatal(err)
		}
		p.awaitTraining(since)
		if p.lends() == i {
			return i
		}
	}
}

// lends returns which of the trainers has lent a worker that is not back, -1 if
// neither has.
func (p *pair) lends() int {
	for i := range p.trainers {
		log := logOf(p.s.t, p.trainers[i])
		if bytes.Count(log, []byte("a worker is lent")) > bytes.Count(log, []byte("the worker is back")) {
			return i
		}
	}
	return -1
}

var progressTopic = churn.RunProgress.Name(churn.DefaultPrefix)

// awaitTraining waits until somebody has trained a tree since then.
func (p *pair) awaitTraining(since bus.Position) {
	p.s.t.Helper()
	ctx, found := context.WithTimeout(p.s.t.Context(), time.Minute)
	defer found()
	trains := false
	err := p.bus.Read(ctx, progressTopic, since, true, func(_ context.Context, r bus.Record) error {
		e, err := event.Decode(r, churn.DefaultPrefix)
		if m, ok := e.Data.(*eventv1.RunProgress); ok && m.GetActivity() == "training" && m.GetDone() > 0 {
			trains = true
			found()
		}
		return err
	})
	if err != nil || !trains {
		p.s.t.Fatalf("nobody trains: %v", err)
	}
}

// logOf is what a program that runs in the background has written.
func logOf(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	text, err := os.ReadFile(cmd.Stdout.(*os.File).Name())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// stranger says what a member says to LightGBM's own sockets, and is turned away.
func stranger(t *testing.T, door string) {
	t.Helper()
	link, err := net.Dial("tcp", door)
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	_, _ = link.Write([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f})
	if n, err := io.Copy(io.Discard, link); err == nil && n > 100 { // at most an alert of TLS's
		t.Errorf("a stranger is told %d bytes", n)
	}
}
