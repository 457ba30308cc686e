package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/fold"
)

func quickstartCmd(a *app) *cobra.Command {
	var request requestFlags
	cmd := &cobra.Command{
		Use:   "quickstart",
		Short: "One retrain from request to promoted, then a prediction by the served model",
		Long: `Start the local stack (or use the running one), publish a retrain request, follow
it to its end, wait until ModelService serves the promoted version, and ask it
for one prediction. This is what ` + "`make run`" + ` calls.

Exit codes as of ` + "`churnctl retrain`" + `.`,
		Args: cobra.NoArgs,
		RunE: a.with(withModelService, func(cmd *cobra.Command, _ []string, p *parts) error {
			return a.quickstart(cmd, p, &request)
		}),
	}
	request.add(cmd)
	return cmd
}

func (a *app) quickstart(cmd *cobra.Command, p *parts, flags *requestFlags) error {
	ctx := cmd.Context()
	request, err := flags.event(ctx, a, p.Store)
	if err != nil {
		return err
	}
	run, err := a.retrain(ctx, p, request)
	if err != nil {
		return err
	}
	if run.Status() == fold.Failed {
		return outcome(run.Status(), false)
	}
	reports := filepath.Join(a.config.StateDir, "reports", run.ID)
	if err := p.download(cmd, run, reports); err != nil {
		return err
	}
	a.say("\nReport: %s", a.shown(filepath.Join(reports, "evaluator", "report.html")))
	if run.Status() == fold.Promoted {
		if err := a.showServed(ctx, p, flags.data, run.Version()); err != nil {
			return err
		}
	}
	a.next(p)
	return outcome(run.Status(), passedDryRun(run))
}

// showServed waits until ModelService serves the version and shows a
// prediction by it.
func (a *app) showServed(ctx context.Context, p *parts, data string, version int64) error {
	url, err := p.modelService(ctx)
	if err != nil {
		return err
	}
	if err := waitServing(ctx, url, version); err != nil {
		return err
	}
	if isURI(data) {
		return nil // no local row to show
	}
	fields, err := csvRow(a.path(data), 1)
	if err != nil {
		return err
	}
	answer, err := predict(ctx, url, fields)
	if err != nil {
		return err
	}
	a.say("\nServed by %s/predict, first row of %s:", url, data)
	if a.json() {
		return nil
	}
	showPrediction(a.out, fields, answer)
	return nil
}

// next says what to try now.
func (a *app) next(p *parts) {
	if a.json() {
		return
	}
	a.say("\nNext:")
	w := a.out
	if p.stack != nil {
		pairs(w, "make up", "keep the stack running, with ModelService and its API docs")
	}
	pairs(w,
		"make run DATA=file.csv", "retrain on another file of the same columns",
		"bin/churnctl retrain --num-leaves 31", "retrain with other settings",
		"bin/churnctl runs", "list the runs",
		"bin/churnctl models", "list the registered versions",
		"bin/churnctl events", "read the log, decoded",
	)
}

// servedVersion returns the version that an answer of /model names, or 0.
func servedVersion(body []byte) int64 {
	var m struct {
		Version int64 `json:"version"`
	}
	_ = json.Unmarshal(body, &m) // what is no JSON names no version
	return m.Version
}

// waitServing waits until ModelService serves the version, or a later one.
func waitServing(ctx context.Context, url string, version int64) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute,
		fmt.Errorf("ModelService at %s does not serve version %d after a minute; GET %s/model says what it serves", url, version, url))
	defer cancel()
	for {
		status, body, err := get(ctx, url+"/model")
		if err == nil && status == http.StatusOK && servedVersion(body) >= version {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		sleep(ctx, 20*time.Millisecond)
	}
}
