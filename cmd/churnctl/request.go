package main

import (
	"cmp"
	"context"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// client is the source of the requests made here.
const client churn.Service = "churnctl"

const mediaYAML = "application/yaml"

// requestFlags are the flags of a retrain request.
type requestFlags struct {
	data, spec  string
	id          string
	at          string
	requestedBy string
	reason      string
	gitSHA      string
	machines    int32
	overrides   overrideFlags
	search      searchFlags
}

func (f *requestFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.data, "data", "data/telco_churn.csv", "the training data: a CSV file, or the s3:// URI of one")
	fs.StringVar(&f.spec, "spec", "", "the dataset spec (YAML); the built-in Telco spec if not given")
	fs.StringVar(&f.id, "request-id", "", "the request's id; the same id twice is one run (default: a new one)")
	fs.StringVar(&f.at, "request-time", "", "the request's time, RFC 3339 (default: now); a tag of the version")
	fs.StringVar(&f.requestedBy, "requested-by", os.Getenv("USER"), "who asks, for people to read")
	fs.StringVar(&f.reason, "reason", "", "why, for people to read")
	fs.StringVar(&f.gitSHA, "git-sha", os.Getenv("GIT_SHA"), "commit that asks, a tag of the version")
	fs.Int32Var(&f.machines, "machines", 0, "how many trainers train the model together, each on a part of the rows, where one is too small (docs/machines.md); not beside --trials")
	f.overrides.add(fs)
	f.search.add(fs)
}

// overrideFlags are the settings of a run that have defaults in the spec.
type overrideFlags struct {
	set *pflag.FlagSet

	experiment, model          string
	testSplit, validationSplit float64
	salt                       string
	leaves, iterations         int32
	earlyStopping, minData     int32
	seed, maxBin               int32
	rate, l1, l2, features     float64
	minAUC, minAccuracy        float64
	baseline, policy           string
	margin, alpha              float64
	dryRun                     bool
	text                       []byte         // the policy's; see loadPolicy
	document                   *blob.Artifact // the same, stored; see storePolicy
}

func (o *overrideFlags) add(fs *pflag.FlagSet) {
	o.addSplit(fs)
	o.addTraining(fs)
	o.addBaseline(fs)
	o.addGate(fs)
	fs.StringVar(&o.experiment, "experiment-name", "", "experiment to track the run under (default: MLFLOW_EXPERIMENT_NAME, or the spec's)")
	fs.StringVar(&o.model, "register-name", "", "model to register (default: MLFLOW_MODEL_NAME, or the spec's)")
}

func (o *overrideFlags) addSplit(fs *pflag.FlagSet) {
	o.set = fs
	fs.Float64Var(&o.testSplit, "test-split", 0.2, "share of rows held out for the evaluation")
	fs.Float64Var(&o.validationSplit, "validation-split", 0.15, "share of the other rows used for early stopping")
	fs.StringVar(&o.salt, "split-salt", "", "changes which rows fall where")
}

func (o *overrideFlags) addTraining(fs *pflag.FlagSet) {
	o.set = fs
	fs.Int32Var(&o.leaves, "num-leaves", 64, "largest number of leaves of a tree")
	fs.Float64Var(&o.rate, "learning-rate", 0.05, "shrinkage of each tree")
	fs.Int32Var(&o.iterations, "num-iterations", 500, "largest number of trees")
	fs.Int32Var(&o.earlyStopping, "early-stopping-rounds", 30, "stop after so many trees without a better validation log loss; 0 never")
	fs.Int32Var(&o.minData, "min-data-in-leaf", 20, "fewest rows in a leaf")
	fs.Int32Var(&o.maxBin, "max-bin", 255, "largest number of bins of a feature")
	fs.Float64Var(&o.features, "feature-fraction", 1, "share of features tried for each tree")
	fs.Float64Var(&o.l1, "lambda-l1", 0, "L1 regularisation")
	fs.Float64Var(&o.l2, "lambda-l2", 0, "L2 regularisation")
	fs.Int32Var(&o.seed, "seed", 42, "seed of everything random in training")
}

func (o *overrideFlags) addBaseline(fs *pflag.FlagSet) {
	o.set = fs
	fs.StringVar(&o.baseline, "baseline-stage", "Production", "registry stage whose version is the champion")
}

func (o *overrideFlags) addGate(fs *pflag.FlagSet) {
	o.set = fs
	fs.Float64Var(&o.minAUC, "min-auc", 0.82, "least hold-out AUC")
	fs.Float64Var(&o.minAccuracy, "min-accuracy", 0.78, "least hold-out accuracy")
	fs.StringVar(&o.policy, "policy", churn.Refresh, "the rules of promotion: refresh (no worse than the champion by the margin), must-be-better, or a file of your own (`churnctl policy`)")
	fs.Float64Var(&o.margin, "margin", 0.01, "of policy refresh: a difference of AUC")
	fs.Float64Var(&o.alpha, "alpha", 0.05, "largest probability of promoting a candidate that is not what the policy asks for")
	fs.BoolVar(&o.dryRun, "dry-run", false, "decide and report, but register and promote nothing")
}

// given returns a pointer to v if the flag was given: what is left out takes
// the spec's default, whatever this program's help shows.
func given[T any](o *overrideFlags, flag string, v T) *T {
	if o.set.Lookup(flag) == nil || !o.set.Changed(flag) {
		return nil
	}
	return &v
}

func (o *overrideFlags) split() *eventv1.SplitOverrides {
	return &eventv1.SplitOverrides{
		Test: given(o, "test-split", o.testSplit), Validation: given(o, "validation-split", o.validationSplit),
		Salt: given(o, "split-salt", o.salt),
	}
}

func (o *overrideFlags) training() *eventv1.TrainingOverrides {
	return &eventv1.TrainingOverrides{
		NumLeaves: given(o, "num-leaves", o.leaves), LearningRate: given(o, "learning-rate", o.rate),
		NumIterations: given(o, "num-iterations", o.iterations), EarlyStoppingRound: given(o, "early-stopping-rounds", o.earlyStopping),
		MinDataInLeaf: given(o, "min-data-in-leaf", o.minData), MaxBin: given(o, "max-bin", o.maxBin),
		FeatureFraction: given(o, "feature-fraction", o.features), LambdaL1: given(o, "lambda-l1", o.l1),
		LambdaL2: given(o, "lambda-l2", o.l2), Seed: given(o, "seed", o.seed),
	}
}

func (o *overrideFlags) gate() *eventv1.GateOverrides {
	return &eventv1.GateOverrides{
		MinAuc: given(o, "min-auc", o.minAUC), MinAccuracy: given(o, "min-accuracy", o.minAccuracy),
		BaselineStage: given(o, "baseline-stage", o.baseline), DryRun: given(o, "dry-run", o.dryRun),
		Policy: o.policyName(), PolicyDocument: o.document, Margin: given(o, "margin", o.margin), Alpha: given(o, "alpha", o.alpha),
	}
}

// event uploads what the request names and returns the request as an event.
func (f *requestFlags) event(ctx context.Context, a *app, store blob.Store) (event.Event, error) {
	at := time.Now().UTC().Truncate(time.Millisecond)
	if f.at != "" {
		var err error
		if at, err = time.Parse(time.RFC3339Nano, f.at); err != nil {
			return event.Event{}, usageErrorf("--request-time %q is not RFC 3339, for example 2026-01-31T12:00:00Z", f.at)
		}
	}
	trials, err := f.search.search()
	if err != nil {
		return event.Event{}, err
	}
	if err := f.overrides.storePolicy(ctx, a, store); err != nil {
		return event.Event{}, err
	}
	dataset, err := a.upload(ctx, store, "--data", a.path(f.data), "text/csv", churn.DatasetKey)
	if err != nil {
		return event.Event{}, err
	}
	var spec *blob.Artifact
	if f.spec != "" {
		if spec, err = a.upload(ctx, store, "--spec", a.path(f.spec), mediaYAML, churn.SpecKey); err != nil {
			return event.Event{}, err
		}
	}
	id := f.id
	if id == "" {
		id = uuid.NewString()
	}
	o := &f.overrides
	model, experiment := cmp.Or(o.model, a.config.Model), cmp.Or(o.experiment, a.config.Experiment)
	return event.Event{
		Topic: churn.RetrainRequested, Key: model, ID: id, Source: client.Source(), Type: churn.RetrainRequested.Type(),
		Subject: churn.RunID(id), Time: at.UTC(), Correlation: churn.RunID(id),
		Data: &eventv1.RetrainRequested{
			Model: model, Experiment: experiment, Dataset: dataset, Spec: spec,
			Split: o.split(), Training: o.training(), Gate: o.gate(), Search: trials, Machines: f.machines,
			GitSha: f.gitSHA, RequestedBy: f.requestedBy, Reason: f.reason,
		},
	}, nil
}
