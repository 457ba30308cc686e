package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const stageHelp = `Run one stage by hand, on one event, as the services do: the same code, without
the log. What it answers is kept in the state folder, where the next stage finds
it; only the gate's decision goes to the log, so that what it promotes is served:

  churnctl stage featurize --data data/telco_churn.csv
  churnctl stage train     --run RUN --num-leaves 31
  churnctl stage evaluate  --run RUN
  churnctl stage gate      --run RUN --min-auc 0.84 --dry-run

The settings of a run are fixed when it begins. A later stage with other settings
goes on as a new run over the same artifacts, whose id it prints.`

func stageCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stage",
		Short: "Run one stage by hand: featurize, train, evaluate, gate",
		Long:  stageHelp,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		featurizeCmd(a),
		laterStageCmd(a, laterStage{
			verb: "train", short: "Train a model on a run's features",
			service: churn.Trainer, topic: churn.FeaturesReady, flags: (*overrideFlags).addTraining,
		}),
		laterStageCmd(a, laterStage{
			verb: "evaluate", short: "Evaluate a run's model on the hold-out, beside the champion",
			service: churn.Evaluator, topic: churn.ModelTrained, flags: (*overrideFlags).addBaseline,
		}),
		laterStageCmd(a, laterStage{
			verb: "gate", short: "Decide whether a run's model is promoted",
			service: churn.Gate, topic: churn.ModelEvaluated, flags: (*overrideFlags).addGate,
		}),
	)
	return cmd
}

func featurizeCmd(a *app) *cobra.Command {
	var request requestFlags
	cmd := &cobra.Command{
		Use:   "featurize",
		Short: "Validate, split and prepare the data: begins a run",
		Args:  cobra.NoArgs,
		RunE: a.with(storeOnly, func(cmd *cobra.Command, _ []string, p *parts) error {
			e, err := request.event(cmd.Context(), a, p.Store)
			if err != nil {
				return err
			}
			return a.byHand(cmd.Context(), p, churn.Featurizer, e)
		}),
	}
	request.add(cmd)
	return cmd
}

// laterStage is a stage that takes up what another left.
type laterStage struct {
	verb, short string
	service     churn.Service
	topic       churn.Topic // what it reacts to
	flags       func(*overrideFlags, *pflag.FlagSet)
}

func laterStageCmd(a *app, s laterStage) *cobra.Command {
	var run string
	var o overrideFlags
	cmd := &cobra.Command{
		Use:   s.verb + " --run RUN",
		Short: s.short,
		Args:  cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if run == "" {
				return usageErrorf("--run is missing: name the run to go on with; `churnctl stage featurize` begins one")
			}
			return o.loadPolicy(a)
		},
		RunE: a.with(storeOnly, func(cmd *cobra.Command, _ []string, p *parts) error {
			e, err := p.input(cmd.Context(), a.config.StateDir, run, s.topic)
			if err != nil {
				return err
			}
			if err := o.storePolicy(cmd.Context(), a, p.Store); err != nil {
				return err
			}
			if e, err = fork(e, &o); err != nil {
				return err
			}
			return a.byHand(cmd.Context(), p, s.service, e)
		}),
	}
	cmd.Flags().StringVar(&run, "run", "", "the run to go on with (an id or the start of one)")
	s.flags(&o, cmd.Flags())
	return cmd
}

// byHand handles one event with a stage and keeps and shows what it answers.
func (a *app) byHand(ctx context.Context, p *parts, s churn.Service, e event.Event) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var st stage.Stage
	var outputs []event.Event
	v := newView(a, e)
	err := a.observed(ctx, func(tp trace.TracerProvider) (err error) {
		traced := p.Parts
		traced.Tracer = tp
		traced = traced.Traced()
		if st, err = builds[s](ctx, traced); err != nil {
			return err
		}
		handler := stage.Chain(st.Handler, stage.Trace(tp, s, ""), stage.Once(traced.Store, s), stage.Validate)
		outputs, err = handler.Handle(stage.WithProgress(ctx, func(sp stage.Progress) {
			v.progress(&eventv1.RunProgress{
				Run: e.Run(), Stage: string(s), Activity: sp.Activity, Done: sp.Done, Total: sp.Total,
				Metric: sp.Metric, Value: sp.Value, TrackingRun: sp.Tracking,
			})
		}), e)
		return err
	})
	v.close()
	if err != nil {
		if churn.IsKind(err, churn.Invalid) {
			return &exitErr{exitFailed, err}
		}
		return err
	}
	if s == churn.Gate {
		if err := p.publishDecision(ctx, st, outputs); err != nil {
			return err
		}
	}
	return a.keepOutputs(v, e, outputs)
}

// publishDecision puts what a gate by hand decided on the log, and brings the
// compacted table up to date: a champion that the log does not know of would be
// one that nobody serves.
func (p *parts) publishDecision(ctx context.Context, gate stage.Stage, outputs []event.Event) error {
	rows, err := gate.Tables(ctx, outputs)
	if err != nil {
		return err
	}
	for _, e := range append(outputs[:len(outputs):len(outputs)], rows...) {
		if e.Topic == churn.ModelTrained {
			continue // the evaluation is to be repeated, by hand, too
		}
		if err := p.publish(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// keepOutputs keeps the answers where the next stage finds them, and ends with
// the exit code of a decision.
func (a *app) keepOutputs(v *view, input event.Event, outputs []event.Event) error {
	runs := fold.Runs{}
	runs.Add(input)
	for _, out := range outputs {
		if out.Topic == churn.ModelCurrent {
			continue
		}
		runs.Add(out)
		if err := keep(a.config.StateDir, out); err != nil {
			return err
		}
		v.event(out)
	}
	run := runs[input.Run()]
	d := detail(run)
	if err := a.print(d, func(w io.Writer) { detailTable(w, a.tracker(), d) }); err != nil {
		return err
	}
	if !settled(run) {
		return nil
	}
	return outcome(run.Status(), passedDryRun(run))
}

func stageDir(stateDir string) string { return filepath.Join(stateDir, "stages") }

func keep(stateDir string, e event.Event) error {
	batch, err := event.EncodeBatch([]event.Event{e})
	if err != nil {
		return err
	}
	dir := filepath.Join(stageDir(stateDir), e.Run())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, string(e.Topic)+".json"), batch, 0o644)
}

// input returns the run's event on the topic: what a stage by hand left, or
// else what is on the log.
func (p *parts) input(ctx context.Context, stateDir, run string, topic churn.Topic) (event.Event, error) {
	e, err := kept(stateDir, run, topic)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return e, err
	}
	found, err := p.run(ctx, run)
	if err != nil {
		return event.Event{}, err
	}
	e, ok := found.Last(topic)
	if !ok {
		return event.Event{}, usageErrorf("run %s has no %s event: run the stage before it first", found.ID, topic)
	}
	return e, nil
}

func kept(stateDir, run string, topic churn.Topic) (event.Event, error) {
	if strings.ContainsAny(run, `*?[\/`) {
		return event.Event{}, usageErrorf("--run %q is not a run id", run)
	}
	files, err := filepath.Glob(filepath.Join(stageDir(stateDir), run+"*", string(topic)+".json"))
	if err != nil {
		return event.Event{}, err
	}
	switch len(files) {
	case 0:
		return event.Event{}, os.ErrNotExist
	case 1:
	default:
		return event.Event{}, usageErrorf("more than one run starts with %q: give more of the id", run)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return event.Event{}, err
	}
	events, err := event.DecodeBatch(text)
	if err != nil {
		return event.Event{}, fmt.Errorf("%s: %w", files[0], err)
	}
	if len(events) != 1 {
		return event.Event{}, fmt.Errorf("%s: %d events, want 1", files[0], len(events))
	}
	return events[0], nil
}

// planned is a payload that carries the plan.
type planned interface {
	proto.Message
	GetPlan() *eventv1.Plan
}

// fork applies the overrides that were given. If they change the plan, the
// event becomes one of a new run, whose id follows from the old one and the new
// settings: the artifacts of the old run stay what they are.
func fork(e event.Event, o *overrideFlags) (event.Event, error) {
	data, ok := proto.Clone(e.Data).(planned)
	if !ok {
		return e, fmt.Errorf("a %s event carries no plan", e.Topic)
	}
	plan := data.GetPlan()
	before := proto.Clone(plan)
	overlay(plan.GetTraining(), o.training())
	overlay(plan.GetGate(), o.gate())
	if proto.Equal(before, plan) {
		return e, nil
	}
	settings, err := json.Marshal([]any{plan.GetTraining(), plan.GetGate()})
	if err != nil {
		return e, err
	}
	e.ID = churn.EventID(e.ID, "fork "+string(bytes.TrimSpace(settings)), 0)
	e.Correlation, e.Subject, e.Data = churn.RunID(e.ID), churn.RunID(e.ID), data
	return e, nil
}

// overlay copies every field that is set in overrides to the field of the same
// name in settings.
func overlay(settings, overrides proto.Message) {
	to, from := settings.ProtoReflect(), overrides.ProtoReflect()
	fields := from.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if from.Has(fd) {
			to.Set(to.Descriptor().Fields().ByName(fd.Name()), from.Get(fd))
		}
	}
}
