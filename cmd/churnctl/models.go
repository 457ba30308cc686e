package main

import (
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/registry"
)

// modelRow is one registered version, and its JSON.
type modelRow struct {
	registry.Version
	Stage string `json:"stage"`
}

func modelsCmd(a *app) *cobra.Command {
	var stage string
	cmd := &cobra.Command{
		Use:   "models [MODEL]",
		Short: "List registered versions and which one is in production",
		Args:  cobra.MaximumNArgs(1),
		RunE: a.with(readOnly, func(cmd *cobra.Command, args []string, p *parts) error {
			models := args
			if len(models) == 0 {
				var err error
				if models, err = p.Registry.Models(cmd.Context()); err != nil {
					return err
				}
			}
			rows := []modelRow{}
			for _, m := range models {
				of, err := p.versions(cmd, m, stage)
				if err != nil {
					return err
				}
				rows = append(rows, of...)
			}
			return a.print(rows, func(w io.Writer) { modelsTable(w, rows) })
		}),
	}
	cmd.Flags().StringVar(&stage, "stage", "Production", "registry stage to show the champion of")
	return cmd
}

// versions returns the model's versions with their stages: the champion's, or
// Archived for what was champion before.
func (p *parts) versions(cmd *cobra.Command, model, stage string) ([]modelRow, error) {
	versions, err := p.Registry.Versions(cmd.Context(), model)
	if err != nil {
		return nil, err
	}
	history, err := p.Registry.History(cmd.Context(), model, stage)
	if err != nil && !churn.IsKind(err, churn.NotFound) {
		return nil, err
	}
	stages := map[int64]string{}
	for i, c := range history {
		stages[c.Version] = "Archived"
		if i == len(history)-1 {
			stages[c.Version] = c.Stage
		}
	}
	rows := make([]modelRow, len(versions))
	for i, v := range versions {
		rows[i] = modelRow{Version: v, Stage: stages[v.Version]}
	}
	return rows, nil
}

func modelsTable(w io.Writer, rows []modelRow) {
	lines := [][]string{}
	for _, r := range rows {
		lines = append(lines, []string{
			r.Model, strconv.FormatInt(r.Version.Version, 10), r.Stage, r.Run, short(r.Tags["git_sha"]), r.Tags["timestamp"],
			short(r.Artifact.GetSha256()),
		})
	}
	table(w, []string{"MODEL", "VERSION", "STAGE", "RUN", "GIT", "REQUESTED", "SHA-256"}, lines)
}

// short returns enough of a digest to tell it from others.
func short(digest string) string { return digest[:min(12, len(digest))] }
