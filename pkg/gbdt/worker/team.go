package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

const opTogether = "worker.TrainTogether"

// team is workers that train one model together. What one has for another goes
// through the leader, which is this process. It hears them one after the other, so
// that whoever is lost is found, and has a name.
type team struct {
	members  []*member // by rank
	first    *process  // the first of them, whose result counts
	patience time.Duration
	data     lightgbm.Data
	options  lightgbm.Options
	result   lightgbm.Result
}

// member is a worker of a team, here or lent by another trainer.
type member struct {
	*conn
	worker interface {
		kill()
		failed(ctx context.Context, err error) error // ends it, and says how it ended
		refused(body []byte) error
	}
	where   string
	threads int
	release func(done bool) // gives it back; nil once it is
}

// patience is how long a team waits for one of its members: between two exchanges
// each does the same amount of work.
const patience = 2 * time.Minute

// train trains on the rows, a part of which goes to each member.
func (t *team) train(ctx context.Context, params lightgbm.Params) (*lightgbm.Result, error) {
	if err := t.begin(ctx, params); err != nil {
		return nil, err
	}
	for {
		k, bodies, err := t.turn(ctx)
		if err != nil {
			return nil, err
		}
		switch k {
		case kindRows:
			err = t.sendRows(ctx)
		case kindShare:
			err = t.answer(ctx, func(int) [][]byte { return bodies })
		case kindScatter:
			err = t.scatter(ctx, bodies)
		case kindResult:
			return &t.result, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// begin asks every member for its part of the training.
func (t *team) begin(ctx context.Context, params lightgbm.Params) error {
	n, rows := len(t.members), t.data.Rows[lightgbm.Train]
	parts := partSizes(rows, n)
	for i, m := range t.members {
		if parts[i] == 0 {
			return churn.Errorf(opTogether, churn.Invalid, "the training split has %d rows, too few for %d machines: ask for fewer", rows, n)
		}
		r := request{
			Params: params, Threads: m.threads, Features: t.data.Features, Rows: [2]int{lightgbm.Train: parts[i]},
			Members: &members{Rank: i, Count: n, Rows: rows},
		}
		if i == 0 {
			r.Rows[lightgbm.Validation] = t.data.Rows[lightgbm.Validation]
			r.ScoreRows, r.ContributionRows = t.options.ScoreRows, t.options.ContributionRows
		}
		if err := t.await(ctx, i, func() error { return m.sendJSON(kindTrain, r) }); err != nil {
			return err
		}
	}
	return nil
}

// turn waits until every member has come to the next step, and returns which that
// is and what each says, by rank. The first is heard last: it has still to explain
// the model when the others are done.
func (t *team) turn(ctx context.Context) (step kind, bodies [][]byte, err error) {
	bodies = make([][]byte, len(t.members))
	for i := len(t.members) - 1; i >= 0; i-- {
		k, body, err := t.hear(ctx, i, step != kindResult)
		if err != nil {
			return 0, nil, err
		}
		if step != 0 && k != step {
			return 0, nil, churn.Errorf(opTogether, churn.Internal, "%s is at a step of kind %d, the next at one of kind %d", t.name(i), k, step)
		}
		step, bodies[i] = k, body
	}
	return step, bodies, nil
}

// hear returns the member's next step. Unless the others are done, they wait for it.
func (t *team) hear(ctx context.Context, i int, awaited bool) (k kind, body []byte, err error) {
	receive := func() (err error) {
		k, body, err = t.members[i].receive()
		return err
	}
	for {
		if awaited {
			err = t.await(ctx, i, receive)
		} else if err = receive(); err != nil {
			err = t.lost(ctx, i, err)
		}
		if err != nil || k == kindRows || k == kindShare || k == kindScatter {
			return k, body, err
		}
		if i == 0 {
			err = t.first.heard(ctx, k, body, &t.result, t.options, len(t.data.Features))
		} else if k == kindFailure {
			err = t.members[i].worker.refused(body)
		} else if k != kindResult {
			err = t.members[i].worker.failed(ctx, unexpected(k))
		}
		if err != nil {
			return 0, nil, t.blame(ctx, i, err)
		}
		if k == kindResult {
			t.free(i, true)
			return k, nil, nil
		}
	}
}

// scatter tells each member what all have for it.
func (t *team) scatter(ctx context.Context, bodies [][]byte) error {
	n := len(t.members)
	blocks := make([][][]byte, n) // for whom, of whom
	for to := range blocks {
		blocks[to] = make([][]byte, n)
	}
	for from, body := range bodies {
		of, err := readBlocks(body, n)
		if err != nil {
			return t.lost(ctx, from, err)
		}
		for to := range of {
			blocks[to][from] = of[to]
		}
	}
	return t.answer(ctx, func(to int) [][]byte { return blocks[to] })
}

// answer ends an exchange: it tells each member what all have for it, by rank.
func (t *team) answer(ctx context.Context, blocks func(to int) [][]byte) error {
	for i, m := range t.members {
		err := t.await(ctx, i, func() error { return errors.Join(m.send(kindShared, blocks(i)...), m.out.Flush()) })
		if err != nil {
			return err
		}
	}
	return nil
}

// await does something that takes a member, which is lost if it is silent for too
// long.
func (t *team) await(ctx context.Context, i int, do func() error) error {
	silence := time.AfterFunc(t.patience, t.members[i].worker.kill)
	err := do()
	if !silence.Stop() && ctx.Err() == nil {
		return t.blame(ctx, i, churn.Errorf(opTogether, churn.Internal, "nothing was heard of it for %s", t.patience))
	}
	if err != nil {
		return t.lost(ctx, i, err)
	}
	return nil
}

// lost says why the connection to a member has ended.
func (t *team) lost(ctx context.Context, i int, err error) error {
	return t.blame(ctx, i, t.members[i].worker.failed(ctx, err))
}

// blame names the member that an attempt has failed with, unless that is not its
// doing: the data is wrong, or nobody waits for the model any more.
func (t *team) blame(ctx context.Context, i int, err error) error {
	if churn.IsKind(err, churn.Invalid) || ctx.Err() != nil {
		return err
	}
	return churn.Errorf(opTogether, churn.Internal, "%s was lost: %w", t.name(i), err)
}

func (t *team) name(i int) string {
	return fmt.Sprintf("member %d of %d (%s)", i+1, len(t.members), t.members[i].where)
}

// free gives a member back, once.
func (t *team) free(i int, done bool) {
	if release := t.members[i].release; release != nil {
		t.members[i].release = nil
		release(done)
	}
}

// disband gives back who is still there.
func (t *team) disband() {
	for i := range t.members {
		t.free(i, false)
	}
	t.members, t.first = nil, nil
}
