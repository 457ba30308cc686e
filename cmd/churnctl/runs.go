package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/fold"
)

// runSummary is one line of `churnctl runs`, and its JSON.
type runSummary struct {
	Run         string      `json:"run"`
	Model       string      `json:"model"`
	Kind        fold.Kind   `json:"kind"` // what was asked for
	RequestedAt time.Time   `json:"requested_at"`
	Status      fold.Status `json:"status"`
	Version     int64       `json:"version"` // 0 if there is none
	// On the hold-out; null before the evaluation.
	AUC      *float64 `json:"auc"`
	Accuracy *float64 `json:"accuracy"`
	F1       *float64 `json:"f1"`
}

func summarize(r *fold.Run) runSummary {
	s := runSummary{Run: r.ID, Model: r.Model, Kind: r.Kind(), RequestedAt: r.RequestedAt, Status: r.Status(), Version: r.Version()}
	if m := r.Metrics(); m != nil {
		s.AUC, s.Accuracy, s.F1 = &m.Auc, &m.Accuracy, &m.F1
	}
	return s
}

func runsCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "runs",
		Short: "List runs, the newest first",
		Args:  cobra.NoArgs,
		RunE: a.with(readOnly, func(cmd *cobra.Command, _ []string, p *parts) error {
			runs, err := p.history(cmd.Context())
			if err != nil {
				return err
			}
			summaries := []runSummary{}
			for _, r := range runs.Sorted() {
				summaries = append(summaries, summarize(r))
			}
			return a.print(summaries, func(w io.Writer) { runsTable(w, summaries) })
		}),
	}
}

func runsTable(w io.Writer, summaries []runSummary) {
	rows := [][]string{}
	for _, s := range summaries {
		rows = append(rows, []string{
			s.Run, s.Model, string(s.Kind), when(s.RequestedAt), string(s.Status), number(s.Version), known(s.AUC), known(s.Accuracy), known(s.F1),
		})
	}
	table(w, []string{"RUN", "MODEL", "KIND", "REQUESTED", "STATUS", "VERSION", "AUC", "ACCURACY", "F1"}, rows)
}

// known shows a metric, if there is one.
func known(v *float64) string {
	if v == nil {
		return "-"
	}
	return metric(*v)
}
