package main

import (
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/fold"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// reign is a version's time in production, and its JSON.
type reign struct {
	Model      string           `json:"model"`
	Stage      string           `json:"stage"`
	Generation int64            `json:"generation"`
	Version    int64            `json:"version"`
	Previous   int64            `json:"previous_version"` // 0 if there was none
	Since      time.Time        `json:"since"`
	Until      *time.Time       `json:"until"` // null: it is in production
	Run        string           `json:"run"`   // that trained it
	Asked      string           `json:"asked"` // the run that promoted it: of the rollback or override, if it was one
	Cause      fold.Cause       `json:"cause"`
	By         string           `json:"by"`
	Reason     string           `json:"reason"`
	Metrics    *eventv1.Metrics `json:"metrics"` // on the hold-out
}

func viewReign(of fold.Chain, c fold.Champion) reign {
	r := reign{
		Model: of.Model, Stage: of.Stage, Generation: c.Generation, Version: c.Version, Previous: c.Previous, Since: c.Since,
		Run: c.Run, Asked: c.Asked, Cause: c.Cause, By: c.By, Reason: c.Reason, Metrics: c.Metrics,
	}
	if !c.Until.IsZero() {
		r.Until = &c.Until
	}
	return r
}

func historyCmd(a *app) *cobra.Command {
	var stage string
	cmd := &cobra.Command{
		Use:   "history MODEL",
		Short: "Show who was in production, from when to when, and why",
		Args:  cobra.ExactArgs(1),
		RunE: a.with(readOnly, func(cmd *cobra.Command, args []string, p *parts) error {
			runs, err := p.history(cmd.Context())
			if err != nil {
				return err
			}
			reigns := []reign{}
			for _, c := range runs.Chains() {
				if c.Model != args[0] || c.Stage != stage {
					continue
				}
				for _, champion := range c.Champions {
					reigns = append(reigns, viewReign(c, champion))
				}
			}
			if len(reigns) == 0 {
				return usageErrorf("no version of %s was ever in %s; `churnctl state` names what is there", args[0], stage)
			}
			return a.print(reigns, func(w io.Writer) { reignTable(w, reigns) })
		}),
	}
	cmd.Flags().StringVar(&stage, "stage", "Production", "registry stage to show the champions of")
	return cmd
}

func reignTable(w io.Writer, reigns []reign) {
	rows := [][]string{}
	for _, r := range reigns {
		until := "now"
		if r.Until != nil {
			until = when(*r.Until)
		}
		rows = append(rows, []string{
			r.Model, r.Stage, strconv.FormatInt(r.Version, 10), when(r.Since), until, r.Run, string(r.Cause), r.By,
			metric(r.Metrics.GetAuc()), metric(r.Metrics.GetAccuracy()), r.Reason,
		})
	}
	table(w, []string{"MODEL", "STAGE", "VERSION", "FROM", "TO", "RUN", "BY WAY OF", "WHO", "AUC", "ACCURACY", "REASON"}, rows)
}
