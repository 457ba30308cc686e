package main

import (
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/fold"
)

// approvalRow is an approval that waits for a person, and its JSON.
type approvalRow struct {
	Run         string    `json:"run"`
	Model       string    `json:"model"`
	Approval    string    `json:"approval_id"`
	Round       int32     `json:"round"`
	Champion    int64     `json:"champion_version"` // 0 if there is none
	RequestedBy string    `json:"requested_by"`     // who asked for the run
	ExpiresAt   time.Time `json:"expires_at"`
	Summary     string    `json:"summary"`
}

func approvalsCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "approvals",
		Short: "List the runs that wait for a person to decide, the oldest first",
		Args:  cobra.NoArgs,
		RunE: a.with(readOnly, func(cmd *cobra.Command, _ []string, p *parts) error {
			runs, err := p.history(cmd.Context())
			if err != nil {
				return err
			}
			rows := []approvalRow{}
			for _, w := range runs.Pending() {
				rows = append(rows, approvalOf(w))
			}
			return a.print(rows, func(w io.Writer) { approvalsTable(w, rows) })
		}),
	}
}

func approvalOf(w fold.Approval) approvalRow {
	return approvalRow{w.Run, w.Model, w.ID, w.Round, w.Champion, w.RequestedBy, w.ExpiresAt, w.Summary}
}

func approvalsTable(w io.Writer, rows []approvalRow) {
	lines := [][]string{}
	for _, r := range rows {
		lines = append(lines, []string{
			r.Run, r.Model, strconv.FormatInt(r.Champion, 10), r.RequestedBy, when(r.ExpiresAt), r.Summary,
		})
	}
	table(w, []string{"RUN", "MODEL", "CHAMPION", "REQUESTED BY", "UNTIL", "WHAT"}, lines)
}
