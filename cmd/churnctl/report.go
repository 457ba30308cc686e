package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/fold"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// reportFile is what `churnctl report` says, and its JSON.
type reportFile struct {
	Run  string        `json:"run"`
	By   churn.Service `json:"by"`   // who wrote it: the gate, if it knows the decision
	File string        `json:"file"` // where it is copied to
	*blob.Artifact
}

func reportCmd(a *app) *cobra.Command {
	var file string
	var show bool
	cmd := &cobra.Command{
		Use:   "report RUN",
		Short: "Copy the report of a run to a file",
		Long: `Copy the newest report of a run, by its id or the start of it, to a file: one
page for a browser with everything in it. With the decision, if there is one.`,
		Example: `  churnctl report 3f2a
  churnctl report 3f2a --out report.html --open`,
		Args: cobra.ExactArgs(1),
		RunE: a.with(readOnly, func(cmd *cobra.Command, args []string, p *parts) error {
			run, err := p.run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			by, artifact := newestReport(run)
			if artifact == nil {
				return fmt.Errorf("run %s has no report: its candidate has not been evaluated", run.ID)
			}
			r := reportFile{run.ID, by, a.path(file), artifact}
			if file == "" {
				r.File = a.path("report-" + run.ID[:min(len(run.ID), 8)] + ".html")
			}
			if err := p.copyArtifact(cmd, artifact, r.File); err != nil {
				return fmt.Errorf("copying %s: %w", artifact.GetUri(), err)
			}
			if err := a.print(r, func(w io.Writer) { _, _ = fmt.Fprintln(w, a.shown(r.File)) }); err != nil || !show {
				return err
			}
			return openFile(cmd.Context(), r.File)
		}),
	}
	cmd.Flags().StringVar(&file, "out", "", "file to write (default: report-RUN.html)")
	cmd.Flags().BoolVar(&show, "open", false, "open it in the browser")
	return cmd
}

// newestReport returns the report that the run's events name last, nil if none
// does, and who wrote it.
func newestReport(run *fold.Run) (churn.Service, *blob.Artifact) {
	for _, e := range slices.Backward(run.Timeline()) {
		switch m := e.Data.(type) {
		case *eventv1.ModelEvaluated:
			return churn.Evaluator, m.GetEvaluation().GetReport()
		case interface{ GetReport() *blob.Artifact }: // a decision
			if a := m.GetReport(); a != nil {
				return churn.Gate, a
			}
		}
	}
	return "", nil
}

// openFile shows a file in the program that the desktop has for it.
func openFile(ctx context.Context, file string) error {
	name := "xdg-open"
	if runtime.GOOS == "darwin" {
		name = "open"
	}
	if err := exec.CommandContext(ctx, name, file).Run(); err != nil {
		return fmt.Errorf("%s could not open %s: %w (it is there: open it by hand)", name, file, err)
	}
	return nil
}
