package mlflow

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/registry"
	"github.com/asfotec/churn/pkg/registry/mlflow/flavor"
)

// maxModel bounds the model text and the preprocessor, in bytes.
const maxModel = 256 << 20

// version is a version as MLflow's API has it.
type version struct {
	Number string `json:"version"`
	Stage  string `json:"current_stage"`
	Tags   []tag  `json:"tags"`
}

func (m version) isOf(v registry.Version) bool {
	of, _ := valueOf(m.Tags, tagRun)
	return of == v.Run && m.tagged() == v.Version
}

// tagged returns the authority's number of the version, or 0.
func (m version) tagged() int64 {
	text, _ := valueOf(m.Tags, tagVersion)
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// number is MLflow's own.
func (m version) number() int64 {
	n, _ := strconv.ParseInt(m.Number, 10, 64)
	return n
}

// indexOf returns the place of the version that is v's: of doubles that were
// made at once, the one with the lowest number, which is first.
func indexOf(there []version, v registry.Version) int {
	return slices.IndexFunc(there, func(m version) bool { return m.isOf(v) })
}

// ensure makes sure that MLflow has the version, and those before it that MLflow
// has not been told of, in their order: so the numbers agree if nobody else
// writes to the model. What people have deleted there stays deleted, unless it is
// v. It returns MLflow's versions, of which v is one.
func (r *Registry) ensure(ctx context.Context, v registry.Version) ([]version, error) {
	const op = "mlflow.ensure"
	if err := r.catchUp.Acquire(ctx, 1); err != nil {
		return nil, churn.E(op, churn.Transient, err)
	}
	defer r.catchUp.Release(1)
	there, err := r.list(ctx, v.Model)
	if err != nil {
		return nil, err
	}
	if indexOf(there, v) < 0 {
		if err := r.addUpTo(ctx, v, there); err != nil {
			return nil, err
		}
		if there, err = r.list(ctx, v.Model); err != nil {
			return nil, err
		}
	}
	if indexOf(there, v) < 0 {
		return nil, churn.Errorf(op, churn.Internal, "MLflow at %s does not list version %d of %s, which it has just been given",
			r.runs.client.base, v.Version, v.Model)
	}
	return r.removeTwins(ctx, v.Model, there)
}

// addUpTo adds the versions after the newest that is there, up to v.
func (r *Registry) addUpTo(ctx context.Context, v registry.Version, there []version) error {
	if len(there) == 0 {
		if err := r.ensureModel(ctx, v.Model); err != nil {
			return err
		}
	}
	all, err := r.Versions(ctx, v.Model)
	if err != nil {
		return err
	}
	for _, earlier := range all[newest(there, all):] {
		if earlier.Version >= v.Version {
			break
		}
		// One whose artifacts are gone or damaged is not in the way of others.
		err := r.add(ctx, earlier)
		if err != nil && !churn.IsKind(err, churn.NotFound) && !churn.IsKind(err, churn.Invalid) {
			return err
		}
	}
	return r.add(ctx, v)
}

// newest returns the authority's number of the newest version that is there.
func newest(there []version, all []registry.Version) int64 {
	var n int64
	for _, m := range there {
		if i := m.tagged(); i > n && i <= int64(len(all)) && m.isOf(all[i-1]) {
			n = i
		}
	}
	return n
}

// list returns MLflow's versions of the model by their numbers, also those of
// others.
func (r *Registry) list(ctx context.Context, model string) ([]version, error) {
	const path = "model-versions/search"
	var all []version
	err := r.runs.client.pages(path, func(token string) (string, error) {
		var page struct {
			Versions []version `json:"model_versions"`
			Next     string    `json:"next_page_token"`
		}
		query := url.Values{"filter": {"name='" + model + "'"}, "max_results": {"1000"}}
		if token != "" {
			query.Set("page_token", token)
		}
		err := r.runs.client.ask(ctx, "GET", path, query, &page)
		all = append(all, page.Versions...)
		return page.Next, err
	})
	slices.SortFunc(all, func(a, b version) int { return cmp.Compare(a.number(), b.number()) })
	return all, err
}

func (r *Registry) ensureModel(ctx context.Context, model string) error {
	err := r.runs.client.ask(ctx, "GET", "registered-models/get", url.Values{"name": {model}}, nil)
	if !churn.IsKind(err, churn.NotFound) {
		return err
	}
	err = r.runs.client.change(ctx, "POST", "registered-models/create", "new", map[string]any{"name": model}, nil)
	if churn.IsKind(err, churn.Conflict) { // it is there
		return nil
	}
	return err
}

// add makes the version: its files first, then the version that names them.
func (r *Registry) add(ctx context.Context, v registry.Version) error {
	text, err := r.runs.store.Get(ctx, v.Artifact, maxModel)
	if err != nil {
		return err
	}
	preprocessor, err := r.runs.store.Get(ctx, v.Preprocessor, maxModel)
	if err != nil {
		return err
	}
	of := runOf(v)
	m, err := r.runs.ensure(ctx, of)
	if err != nil {
		return recording("mlflow.add", err)
	}
	files, err := flavor.Files(flavor.Model{
		Run: v.Run, TrackingRun: m.Info.ID, Created: of.Started, ModelText: text, Preprocessor: preprocessor,
		Threshold: threshold(v),
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := r.runs.write(ctx, m, flavor.ArtifactPath+"/"+f.Path, f.Data); err != nil {
			return err
		}
	}
	return r.create(ctx, v, m)
}

// threshold is where the version's scores are to be cut; one that was registered
// before versions said so has 0.5.
func threshold(v registry.Version) float64 {
	t, err := strconv.ParseFloat(v.Tags["threshold"], 64)
	if err != nil || !(t >= 0 && t <= 1) {
		return evaluation.Threshold
	}
	return t
}

func (r *Registry) create(ctx context.Context, v registry.Version, m *run) error {
	number := strconv.FormatInt(v.Version, 10)
	tags := append(tags(registry.Run{Tags: v.Tags}), tag{tagRun, v.Run}, tag{tagVersion, number})
	return r.runs.client.change(ctx, "POST", "model-versions/create", number, map[string]any{
		"name":   v.Model,
		"source": strings.TrimRight(m.Info.Artifacts, "/") + "/" + flavor.ArtifactPath,
		"run_id": m.Info.ID,
		"tags":   tags,
	}, nil)
}

// runOf returns the run that the version came of. One that was registered before
// versions said their experiment goes under that of the model's name.
func runOf(v registry.Version) registry.Run {
	started, _ := time.Parse(time.RFC3339, v.Tags["timestamp"])
	r := registry.Run{Experiment: v.Experiment, Run: v.Run, Name: v.Model + " " + v.Run, Started: started}
	if r.Experiment == "" {
		r.Experiment = v.Model
	}
	return r
}

// removeTwins deletes versions that were made twice, by two at once or by one
// whose answer was lost: the lowest number stays. It returns those that stay.
func (r *Registry) removeTwins(ctx context.Context, model string, there []version) ([]version, error) {
	type identity struct {
		version int64
		run     string
	}
	seen := map[identity]bool{}
	var stay []version
	for _, m := range there {
		run, _ := valueOf(m.Tags, tagRun)
		id := identity{m.tagged(), run}
		if id.version == 0 || run == "" || !seen[id] {
			seen[id] = true
			stay = append(stay, m)
			continue
		}
		err := r.runs.client.change(ctx, "DELETE", "model-versions/delete", "twin", map[string]any{"name": model, "version": m.Number}, nil)
		if err != nil && !churn.IsKind(err, churn.NotFound) { // else another has
			return nil, err
		}
	}
	return stay, nil
}
