package mlflow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
)

// runs finds and makes the MLflow runs of the pipeline's runs.
type runs struct {
	client *Client
	store  blob.Store
}

// run is a run as MLflow's API has it.
type run struct {
	Info struct {
		ID         string `json:"run_id"`
		Experiment string `json:"experiment_id"`
		Artifacts  string `json:"artifact_uri"`
		Lifecycle  string `json:"lifecycle_stage"`
	} `json:"info"`
	Data struct {
		Params  []tag    `json:"params"`
		Tags    []tag    `json:"tags"`
		Metrics []metric `json:"metrics"`
	} `json:"data"`
}

// isOf reports whether it is the run, or trial, of r, and can be written to.
func (m *run) isOf(r registry.Run) bool {
	of, _ := valueOf(m.Data.Tags, tagRun)
	trial, _ := valueOf(m.Data.Tags, tagTrial)
	return of == r.Run && trial == r.Trial && m.Info.Lifecycle == "active" && runID.MatchString(m.Info.ID)
}

// ensure returns the MLflow run of r, which it makes if there is none. All
// clients are told the same: of runs that were made at once, the one that was
// pinned first stays.
func (s *runs) ensure(ctx context.Context, r registry.Run) (*run, error) {
	parent := ""
	if r.Trial != "" {
		of := r
		of.Trial, of.Tags = "", nil
		m, err := s.ensure(ctx, of)
		if err != nil {
			return nil, err
		}
		parent = m.Info.ID
	}
	experiment, err := s.experiment(ctx, r.Experiment)
	if err != nil {
		return nil, err
	}
	found, err := s.search(ctx, experiment, r)
	if err != nil {
		return nil, err
	}
	var chosen *run
	for n := 1; chosen == nil; n++ {
		id, err := s.pinned(ctx, r, n)
		if churn.IsKind(err, churn.NotFound) {
			if len(found) == 0 {
				m, err := s.create(ctx, experiment, parent, r)
				if err != nil {
					return nil, err
				}
				found = append(found, m)
			}
			id, err = s.pin(ctx, r, n, found[0].Info.ID)
		}
		if err != nil {
			return nil, err
		}
		if chosen, err = s.find(ctx, found, id, r); err != nil {
			return nil, err
		}
	}
	return chosen, s.removeTwins(ctx, found, chosen.Info.ID)
}

// experiment returns the id of the experiment, which it makes if there is none.
func (s *runs) experiment(ctx context.Context, of string) (string, error) {
	if s.client.config.Databricks {
		of = "/Shared/" + of
	}
	id, err := s.experimentCalled(ctx, of)
	if !churn.IsKind(err, churn.NotFound) {
		return id, err
	}
	err = s.client.change(ctx, "POST", "experiments/create", "new", map[string]any{"name": of}, nil)
	if err != nil && !churn.IsKind(err, churn.Conflict) { // else another was first
		return "", err
	}
	return s.experimentCalled(ctx, of)
}

func (s *runs) experimentCalled(ctx context.Context, of string) (string, error) {
	var answer struct {
		Experiment struct {
			ID        string `json:"experiment_id"`
			Lifecycle string `json:"lifecycle_stage"`
		} `json:"experiment"`
	}
	if err := s.client.ask(ctx, "GET", "experiments/get-by-name", url.Values{"experiment_name": {of}}, &answer); err != nil {
		return "", err
	}
	if e := answer.Experiment; e.Lifecycle == "deleted" {
		return "", churn.Errorf("mlflow.experiment", churn.Invalid,
			"the experiment %q is deleted: restore it with `mlflow experiments restore --experiment-id %.100s`, or name another (MLFLOW_EXPERIMENT_NAME)", of, e.ID)
	}
	return answer.Experiment.ID, nil
}

// search returns the runs of r that are there, sorted by id.
func (s *runs) search(ctx context.Context, experiment string, r registry.Run) ([]*run, error) {
	const path = "runs/search"
	var found []*run
	err := s.client.pages(path, func(token string) (string, error) {
		var page struct {
			Runs []run  `json:"runs"`
			Next string `json:"next_page_token"`
		}
		err := s.client.ask(ctx, "POST", path, map[string]any{
			"experiment_ids": []string{experiment},
			"filter":         fmt.Sprintf("tags.%q = '%s'", tagRun, r.Run),
			"max_results":    1000,
			"page_token":     token,
		}, &page)
		for i := range page.Runs {
			if m := &page.Runs[i]; m.isOf(r) {
				found = append(found, m)
			}
		}
		return page.Next, err
	})
	slices.SortFunc(found, func(a, b *run) int { return strings.Compare(a.Info.ID, b.Info.ID) })
	return found, err
}

func (s *runs) create(ctx context.Context, experiment, parent string, r registry.Run) (*run, error) {
	tags := []tag{{tagRun, r.Run}, {"mlflow.source.name", "churn"}, {"mlflow.source.type", "JOB"}}
	if r.Trial != "" {
		tags = append(tags, tag{tagTrial, r.Trial}, tag{tagParent, parent})
		r.Name = strings.TrimSpace(r.Name + " " + r.Trial)
	}
	var answer struct {
		Run *run `json:"run"`
	}
	err := s.client.change(ctx, "POST", "runs/create", "run"+r.Trial, map[string]any{
		"experiment_id": experiment,
		"run_name":      bounded(r.Name, maxValue),
		"start_time":    milliseconds(r),
		"tags":          tags,
	}, &answer)
	if err == nil && (answer.Run == nil || !answer.Run.isOf(r)) {
		err = churn.Errorf("mlflow.create", churn.Internal, "MLflow at %s has not made the run %s that it was asked for", s.client.base, r.Run)
	}
	return answer.Run, err
}

// find returns the run of r with the id, or nil if it is not there any more, or
// on another server.
func (s *runs) find(ctx context.Context, found []*run, id string, r registry.Run) (*run, error) {
	if i := slices.IndexFunc(found, func(m *run) bool { return m.Info.ID == id }); i >= 0 {
		return found[i], nil
	}
	var answer struct {
		Run run `json:"run"`
	}
	err := s.client.ask(ctx, "GET", "runs/get", url.Values{"run_id": {id}}, &answer)
	if churn.IsKind(err, churn.NotFound) || err == nil && !answer.Run.isOf(r) {
		return nil, nil
	}
	return &answer.Run, err
}

// removeTwins deletes the runs that were made at once with the one that stays,
// or by an attempt that was cut off. Nothing was recorded in those.
func (s *runs) removeTwins(ctx context.Context, found []*run, stays string) error {
	var errs []error
	for _, m := range found {
		if m.Info.ID == stays || len(m.Data.Params)+len(m.Data.Metrics) > 0 {
			continue
		}
		err := s.client.change(ctx, "POST", "runs/delete", "twin", map[string]any{"run_id": m.Info.ID}, nil)
		if !churn.IsKind(err, churn.NotFound) { // else another has
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// milliseconds returns when the run was started, as MLflow has it.
func milliseconds(r registry.Run) int64 { return max(0, r.Started.UnixMilli()) }
