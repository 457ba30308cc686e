package trainer

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	"github.com/asfotec/churn/pkg/gbdt/worker"
	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/pkg/stage"
)

// Build makes the trainer's stage. Its workers, the first of which is ready when
// Build returns, end with ctx. The program's main must begin with worker.Main.
func Build(ctx context.Context, p service.Parts) (stage.Stage, error) {
	library, err := findLibrary(p.Config.LightGBM)
	if err != nil {
		return stage.Stage{}, err
	}
	pool, err := worker.New(ctx, library, worker.Limits{CPUs: runtime.GOMAXPROCS(0), Memory: int64(p.Config.WorkerMemory) << 20}, observe(p))
	if err != nil {
		return stage.Stage{}, err
	}
	context.AfterFunc(ctx, pool.Close)
	t := New(p.Store, p.Tracker, pool)
	if t.peers, err = peers(p.Config.Trainers); err != nil {
		return stage.Stage{}, err
	}
	s := t.Stage()
	if p.Config.Trainers.Listen != "" {
		s.Beside = t.lend(p.Config.Trainers, p.Log)
	}
	return s, nil
}

// observe tells the metrics how long LightGBM took.
func observe(p service.Parts) func(time.Duration) {
	seconds := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "churn_training_seconds", Help: "LightGBM's part of a training: rows in, model out.",
		Buckets: prometheus.ExponentialBuckets(0.01, 4, 10),
	})
	if p.Metrics != nil {
		p.Metrics.MustRegister(seconds)
	}
	return func(took time.Duration) { seconds.Observe(took.Seconds()) }
}

// findLibrary returns the LightGBM library that is configured, or the one that
// `make lightgbm` has put below the working directory or beside the program's
// folder.
func findLibrary(configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	places := []string{lightgbm.DefaultPath}
	if program, err := os.Executable(); err == nil {
		places = append(places, filepath.Join(filepath.Dir(program), "..", lightgbm.DefaultPath))
	}
	for _, place := range places {
		if _, err := os.Stat(place); err == nil {
			return place, nil
		}
	}
	return "", churn.Errorf("trainer.Build", churn.Invalid,
		"the LightGBM library is not there (looked for %s): run `make lightgbm`, or name it with CHURN_LIGHTGBM", strings.Join(places, " and "))
}
