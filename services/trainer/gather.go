package trainer

import (
	"context"
	"fmt"
	"net"

	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	"github.com/asfotec/churn/pkg/gbdt/worker"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// machines is how many train the model.
func machines(ready *eventv1.FeaturesReady) int { return max(1, int(ready.GetPlan().GetMachines())) }

// fit trains on so many machines, with as many threads on each as its rows are
// worth. Without peers all of them are workers of this trainer.
func (t *Trainer) fit(ctx context.Context, machines int, params lightgbm.Params, o lightgbm.Options, d lightgbm.Data) (*lightgbm.Result, error) {
	o.Threads = t.threads(d.Rows[lightgbm.Train] / machines)
	if machines == 1 {
		return t.pool.Train(ctx, params, o, d)
	}
	stage.Report(ctx, stage.Progress{Activity: fmt.Sprintf("gathering %d machines", machines)})
	return t.pool.TrainTogether(ctx, machines, t.peers, params, o, d)
}

// peers are the trainers that the configuration names, nil if it names none.
func peers(c config.Trainers) (*worker.Peers, error) {
	if len(c.Peers) == 0 {
		return nil, nil
	}
	return worker.NewPeers(c.Peers, string(c.Secret))
}

// lend lends workers to other trainers until ctx is done.
func (t *Trainer) lend(c config.Trainers, log *zap.Logger) func(context.Context, bus.Bus) error {
	return func(ctx context.Context, _ bus.Bus) error {
		l, err := net.Listen("tcp", c.Listen)
		if err != nil {
			return churn.Errorf("trainer.lend", churn.Invalid, "CHURN_TRAINER_LISTEN: %w", err)
		}
		if log == nil {
			log = zap.NewNop()
		}
		log.Info("lending workers", zap.Stringer("address", l.Addr()))
		return t.pool.Lend(ctx, l, string(c.Secret), log)
	}
}
