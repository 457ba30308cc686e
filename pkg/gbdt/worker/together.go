package worker

import (
	"context"
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
// that are free are a Transient error, for which nobody waits: whoever is there is
// let go at once, so that two trainings never wait for one another.
func (p *Pool) TrainTogether(ctx context.Context, machines int, peers *Peers, params lightgbm.Params, o lightgbm.Options, d lightgbm.Data) (*lightgbm.Result, error) {
	if machines < 2 || machines > churn.MaxMachines {
		return nil, churn.Errorf(opTogether, churn.Invalid, "%d machines: from 2 to %d train together", machines, churn.MaxMachines)
	}
	here := 1
	if peers == nil {
		here = machines
	}
	threads := max(1, min(o.Threads, p.cpus)/here)
	cpus := int64(min(threads*here, p.cpus))
	if err := p.free.Acquire(ctx, cpus); err != nil {
		return nil, churn.E(opTogether, churn.Transient, err)
	}
	defer p.free.Release(cpus)
	t := &team{patience: p.patience, data: d, options: o}
	defer t.disband()
	for range here {
		if err := p.join(ctx, t, threads); err != nil {
			return nil, err
		}
	}
	if peers != nil {
		if err := peers.join(ctx, t, p, machines, o.Threads); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	r, err := t.train(ctx, params)
	if err == nil && p.observe != nil {
		p.observe(time.Since(start))
	}
	return r, err
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
