// Package registry is what the pipeline needs of a model registry: versions,
// a champion changed by compare-and-swap, and a record of each run.
package registry

import (
	"context"
	"time"

	"github.com/asfotec/churn/pkg/blob"
)

// Version is one registered version of a model.
type Version struct {
	Model        string            `json:"model"`
	Version      int64             `json:"version"` // 1, 2, 3, … without a gap
	Run          string            `json:"run"`
	Experiment   string            `json:"experiment,omitempty"` // that the run is tracked under
	Artifact     *blob.Artifact    `json:"artifact"`             // model text
	Preprocessor *blob.Artifact    `json:"preprocessor"`         // preprocessing
	Tags         map[string]string `json:"tags"`                 // git_sha, timestamp, trees_sha256, …
}

// Champion is the state of a model's stage after one change of champion.
type Champion struct {
	Model      string `json:"model"`
	Stage      string `json:"stage"`      // for example Production
	Generation int64  `json:"generation"` // 1, 2, 3, …: one a change
	Version    int64  `json:"version"`
	Previous   int64  `json:"previous"` // version before; 0 if none
	Run        string `json:"run"`      // run that brought about the change
	Cause      string `json:"cause"`    // id of the event that was decided
}

// Registry keeps versions and champions. Models, stages and runs have names of
// letters, digits, '.', '_' and '-', beginning with a letter or digit and of at
// most 128 bytes; others are Invalid. Answers are shared: they are not to be
// changed. It is safe for concurrent use, by any number of processes.
type Registry interface {
	// Register records v as the model's next version and returns it with its
	// number. A run has one version: registering it again returns the first.
	Register(ctx context.Context, v Version) (Version, error)

	// Promote makes version the champion of the stage, if the stage's
	// generation is still expected (0: there is no champion); otherwise the
	// error is a Conflict. Repeated with the same cause it returns what it did
	// the first time, even if other promotions have followed. A version that is
	// not registered is NotFound.
	Promote(ctx context.Context, c Champion, expected int64) (Champion, error)

	// Champion returns the newest champion of the stage, or NotFound.
	Champion(ctx context.Context, model, stage string) (Champion, error)

	// Version returns one version, or NotFound.
	Version(ctx context.Context, model string, version int64) (Version, error)

	// Versions returns all versions of the model, oldest first; none of a model
	// that nobody has registered.
	Versions(ctx context.Context, model string) ([]Version, error)

	// History returns every change of champion of the stage, oldest first: its
	// n-th has generation n.
	History(ctx context.Context, model, stage string) ([]Champion, error)

	// Models returns the names of the models, sorted.
	Models(ctx context.Context) ([]string, error)

	// Ping returns nil if the registry answers.
	Ping(ctx context.Context) error
}

// Run is what a tracking server knows a run by.
type Run struct {
	Experiment string
	Run        string // the pipeline's id
	Trial      string // one of the run's several trainings, a run below it; empty for the run itself
	Name       string // for people
	Started    time.Time
	Tags       map[string]string
}

// Entry is what one stage has to say about a run.
type Entry struct {
	Stage     string
	Params    map[string]string
	Metrics   map[string]float64
	Step      int64                // of Metrics: the round
	Series    map[string][]float64 // metric per iteration, from iteration 1
	Artifacts map[string]*blob.Artifact
	Ends      bool // the run has come to its end
	Failed    bool // and failed
}

// Tracker records runs for people. Names are as a Registry's.
type Tracker interface {
	// Track records the entry under the run, making the run if needed, and
	// returns the tracking server's id of it (MLflow's run id). Repeated, it
	// changes nothing.
	Track(ctx context.Context, r Run, e Entry) (id string, err error)
}
