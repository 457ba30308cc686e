package worker

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

// TrainTogether trains one model on so many machines, each with a part of the
// training rows, by LightGBM's data-parallel learner: see lightgbm.Members. The
// first of them is this one; peers lend the others, or are nil: then all are
// workers of this pool. The rows are read here, twice, and streamed to whoever has
// them. Options.Threads is per machine. The same data, parameters and number of
// machines give the same trees, whoever the machines are.
//
// A member that ends, that cannot be reached any more or of which nothing is heard
// is an Internal error that names it; the others are free then. Too few machines
// that are free for minutes are a Transient error.
func (p *Pool) TrainTogether(ctx context.Context, machines int, peers *Peers, params lightgbm.Params, o lightgbm.Options, d lightgbm.Data) (*lightgbm.Result, error) {
	if machines < 2 || machines > churn.MaxMachines {
		return nil, churn.Errorf(opTogether, churn.Invalid, "%d machines: from 2 to %d train together", machines, churn.MaxMachines)
	}
	t := &team{patience: p.patience, data: d, options: o}
	disband, err := p.gather(ctx, t, machines, peers)
	if err != nil {
		return nil, err
	}
	defer disband()
	start := time.Now()
	r, err := t.train(ctx, params)
	if err == nil && p.observe != nil {
		p.observe(time.Since(start))
	}
	return r, err
}

const (
	gathering = 2 * time.Minute // for which others are asked again
	pause     = 5 * time.Second // before that, at most
)

// gather fills the team. Where others cannot lend a worker now they are asked again
// after a pause, in which nothing is held: two leaders never wait for one another.
func (p *Pool) gather(ctx context.Context, t *team, machines int, peers *Peers) (disband func(), err error) {
	for start := time.Now(); ; {
		disband, err = p.assemble(ctx, t, machines, peers)
		if !churn.IsKind(err, churn.Transient) || time.Since(start) >= p.gathering {
			return disband, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause - rand.N(pause)): // so that two leaders do not meet again
		}
	}
}

// assemble fills the team at once, or lets everyone go.
func (p *Pool) assemble(ctx context.Context, t *team, machines int, peers *Peers) (disband func(), err error) {
	here := 1
	if peers == nil {
		here = machines
	}
	threads := max(1, min(t.options.Threads, p.cpus)/here)
	cpus := int64(min(threads*here, p.cpus))
	if err := p.wait(ctx, cpus, t.options.Progress); err != nil {
		return nil, churn.E(opTogether, churn.Transient, err)
	}
	disband = func() {
		t.disband()
		p.free.Release(cpus)
	}
	for range here {
		if err = p.join(ctx, t, threads); err != nil {
			break
		}
	}
	if err == nil && peers != nil {
		err = peers.join(ctx, t, p, machines)
	}
	if err != nil {
		disband()
		return nil, err
	}
	return disband, nil
}

// join adds a worker of this pool to the team.
func (p *Pool) join(ctx context.Context, t *team, threads int) error {
	w, err := p.take(ctx)
	if err != nil {
		return err
	}
	if t.first == nil {
		t.first = w
	}
	end := w.begin(ctx)
	t.members = append(t.members, &member{conn: w.conn, worker: w, where: "this machine", threads: threads, release: func(done bool) {
		w.sound = w.sound || done
		end()
		p.give(w)
	}})
	return nil
}
