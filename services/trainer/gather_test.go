package trainer

import (
	"context"
	"net"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/pkg/stage"
)

// together is a setting whose plan is for two machines.
func together(t *testing.T) *setting {
	t.Helper()
	s := newSetting(t, whole(t))
	s.message().GetPlan().Machines = 2
	return s
}

// lending is a trainer as it is built, which lends workers until the test ends.
func lending(t *testing.T, peers ...string) (stage.Stage, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := newSetting(t, whole(t))
	built, err := Build(t.Context(), service.Parts{Store: s.store, Tracker: s.tracker, Config: config.Config{
		LightGBM: libraryPath, Trainers: config.Trainers{Listen: address, Peers: peers, Secret: config.Secret(strings.Repeat("s", 32))},
	}})
	if err != nil {
		t.Fatalf("%v\ninstall it with: make lightgbm", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- built.Beside(ctx, bus.Bus(nil)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return built, address
}

// Two machines, be they workers of one trainer or two trainers, write the same
// bytes, a member that is killed or not; and one trainer alone writes others.
func TestMachines(t *testing.T) {
	one, _ := newSetting(t, whole(t)).handle(t.Context(), t)
	s := together(t)
	want, trained := s.handle(t.Context(), t)
	var d Document
	s.decode(t, trained.GetCandidate().GetTraining(), &d)
	if d.Machines != 2 || d.Validation.AUC[d.BestIteration-1] < 0.8 {
		t.Errorf("%d machines, AUC %v", d.Machines, d.Validation.AUC[d.BestIteration-1])
	}
	if proto.Equal(one.Data, want.Data) {
		t.Error("one machine writes the same")
	}

	_, address := lending(t)
	built, _ := lending(t, address)
	handler := built.Handler.(*Trainer)
	other := together(t)
	handler.store, handler.tracker, other.Trainer = other.store, other.tracker, handler
	_, err := other.Handle(stage.WithProgress(t.Context(), func(p stage.Progress) {
		if p.Activity == "training" && p.Done == 3 {
			killWorkers(t)
		}
	}), other.event)
	if !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), " of 2 (") || !strings.Contains(err.Error(), "was lost") {
		t.Errorf("after a kill: %v", err)
	}
	out, err := other.Handle(t.Context(), other.event)
	for churn.IsKind(err, churn.Transient) { // the other has not yet its CPUs back
		out, err = other.Handle(t.Context(), other.event)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(out[0].Data, want.Data) {
		t.Errorf("two trainers answer\n%v\nwant\n%v", out[0].Data, want.Data)
	}
}

func TestMachinesSettings(t *testing.T) {
	for want, c := range map[string]config.Trainers{
		"CHURN_TRAINER_SECRET": {Peers: []string{"a:1"}, Secret: "short"},
		"CHURN_TRAINER_PEERS":  {Peers: []string{"a"}, Secret: config.Secret(strings.Repeat("s", 32))},
	} {
		_, err := Build(t.Context(), service.Parts{Config: config.Config{LightGBM: libraryPath, Trainers: c}})
		if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an invalid error of %s", err, want)
		}
	}
	for want, c := range map[string]config.Trainers{
		"CHURN_TRAINER_SECRET": {Listen: "127.0.0.1:0", Secret: "short"},
		"CHURN_TRAINER_LISTEN": {Listen: "192.0.2.1:1", Secret: config.Secret(strings.Repeat("s", 32))},
	} {
		built, err := Build(t.Context(), service.Parts{Config: config.Config{LightGBM: libraryPath, Trainers: c}})
		if err != nil {
			t.Fatal(err)
		}
		if err := built.Beside(t.Context(), nil); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an invalid error of %s", err, want)
		}
	}
}
