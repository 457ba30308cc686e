package mlflow

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/asfotec/churn/pkg/registry"
)

// MLflow takes 1,000 metrics, 100 parameters, 100 tags, 1,000 of them together
// and 1 MB at a time; a parameter of 6,000 characters, and tags of 8,000 (5,000
// on Databricks).
const (
	batchMetrics = 900
	batchPairs   = 50
	maxValue     = 5000 // bytes
)

type metric struct {
	Key       string  `json:"key"`
	Value     float64 `json:"value"`
	Timestamp int64   `json:"timestamp"`
	Step      int64   `json:"step"`
}

// batch is what one call records. MLflow answers null with 500.
type batch struct {
	Metrics []metric `json:"metrics,omitempty"`
	Params  []tag    `json:"params,omitempty"`
	Tags    []tag    `json:"tags,omitempty"`
}

// log records a batch, the n-th of the stage. Recorded again it is the same: of
// equal metrics with equal times and steps MLflow keeps one.
func (s *runs) log(ctx context.Context, m *run, b batch, stage string, n int) error {
	return s.client.change(ctx, "POST", "runs/log-batch", stage+"."+strconv.Itoa(n), struct {
		Run string `json:"run_id"`
		batch
	}{m.Info.ID, b}, nil)
}

// batches returns what the entry says, cut to what MLflow takes at a time.
func batches(m *run, r registry.Run, e registry.Entry) []batch {
	metrics, params, tags := metrics(r, e), params(m, e), tags(r)
	var all []batch
	for len(metrics)+len(params)+len(tags) > 0 {
		all = append(all, batch{cut(&metrics, batchMetrics), cut(&params, batchPairs), cut(&tags, batchPairs)})
	}
	return all
}

// cut takes the first n off the list.
func cut[T any](list *[]T, n int) []T {
	n = min(n, len(*list))
	first := (*list)[:n]
	*list = (*list)[n:]
	return first
}

func metrics(r registry.Run, e registry.Entry) []metric {
	var all []metric
	at := milliseconds(r)
	for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
		all = append(all, metric{name, e.Metrics[name], at, e.Step})
	}
	for _, name := range slices.Sorted(maps.Keys(e.Series)) {
		for i, value := range e.Series[name] {
			all = append(all, metric{name, value, at, int64(i) + 1})
		}
	}
	return all
}

// params returns the parameters that are not there yet. MLflow lets none be
// changed: one that another stage has given another value goes under the stage's
// own name.
func params(m *run, e registry.Entry) []tag {
	var all []tag
	for _, name := range slices.Sorted(maps.Keys(e.Params)) {
		value := bounded(e.Params[name], maxValue)
		for _, key := range []string{name, e.Stage + "." + name} {
			old, there := valueOf(m.Data.Params, key)
			if !there {
				all = append(all, tag{key, value})
			}
			if !there || old == value {
				break
			}
		}
	}
	return all
}

// tags returns the run's tags, and those that MLflow has a place for in its
// pages.
func tags(r registry.Run) []tag {
	var all []tag
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		value := bounded(r.Tags[key], maxValue)
		all = append(all, tag{key, value})
		if shown := map[string]string{"git_sha": "mlflow.source.git.commit", "requested_by": "mlflow.user"}[key]; shown != "" && value != "" {
			all = append(all, tag{shown, value})
		}
	}
	return all
}
