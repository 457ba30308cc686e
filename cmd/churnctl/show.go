package main

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/fold"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// maxArtifact is the largest artifact that is copied to a folder, and the largest
// file that is made one: what S3 takes in one PUT.
const maxArtifact = blob.MaxObject

// runDetail is what `churnctl show` and `churnctl retrain` say of a run, and
// its JSON.
type runDetail struct {
	runSummary
	Seconds         float64          `json:"seconds,omitempty"`      // from publishing to the end, as this command saw it
	TrackingRun     string           `json:"tracking_run,omitempty"` // the tracking server's id of the run, as far as a stage has said it
	Reason          string           `json:"reason,omitempty"`
	DryRun          bool             `json:"dry_run,omitempty"`
	Plan            *eventv1.Plan    `json:"plan,omitempty"`
	Metrics         *eventv1.Metrics `json:"metrics,omitempty"`
	Champion        int64            `json:"champion_version,omitempty"`
	ChampionMetrics *eventv1.Metrics `json:"champion_metrics,omitempty"`
	Rules           []*eventv1.Rule  `json:"rules,omitempty"`
	Approvals       []approvalView   `json:"approvals,omitempty"` // that were asked for
	Trials          []trialView      `json:"trials,omitempty"`    // of the run's search
	Artifacts       []namedArtifact  `json:"artifacts,omitempty"`
	Timeline        []step           `json:"timeline"`
}

// namedArtifact is an artifact with the stage and name it is stored under.
type namedArtifact struct {
	Name string `json:"name"`
	*blob.Artifact
}

// approvalView is an approval with its answer, and its JSON.
type approvalView struct {
	approvalRow
	Answer *answerView `json:"answer"` // null while there is none
}

// answerView is the answer to an approval, and its JSON.
type answerView struct {
	Approved bool      `json:"approved"`
	Expired  bool      `json:"expired"`
	By       string    `json:"decided_by"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"decided_at"`
}

func viewApproval(a fold.Approval) approvalView {
	v := approvalView{approvalRow: approvalOf(a)}
	if a.Answer != nil {
		v.Answer = &answerView{a.Answer.Approved, a.Answer.Expired, a.Answer.By, a.Answer.Reason, a.Answer.At}
	}
	return v
}

// step is one event of a run.
type step struct {
	Topic churn.Topic `json:"topic"`
	ID    string      `json:"id"`
	Text  string      `json:"text"`
}

func showCmd(a *app) *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:   "show RUN",
		Short: "Show one run: settings, metrics, rules, artifacts, events",
		Long: `Show one run, by its id or the start of it. With --download DIR its artifacts
are copied there, each verified against its digest; report.html is for people.`,
		Args: cobra.ExactArgs(1),
		RunE: a.with(readOnly, func(cmd *cobra.Command, args []string, p *parts) error {
			run, err := p.run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if folder != "" {
				if err := p.download(cmd, run, a.path(folder)); err != nil {
					return err
				}
			}
			d := detail(run)
			return a.print(d, func(w io.Writer) { detailTable(w, a.tracker(), d) })
		}),
	}
	cmd.Flags().StringVar(&folder, "download", "", "copy the run's artifacts into this folder")
	return cmd
}

// showEnd shows how the run ended, or what it waits for.
func (a *app) showEnd(run *fold.Run, tracking string, took time.Duration) error {
	d := detail(run)
	d.TrackingRun, d.Seconds = tracking, took.Seconds()
	if err := a.print(d, func(w io.Writer) { detailTable(w, a.tracker(), d) }); err != nil {
		return err
	}
	if d.Status == fold.Pending {
		a.say("\nA person must decide:\n  churnctl approve %s --reason TEXT\n  churnctl deny %s --reason TEXT", run.ID, run.ID)
	}
	return nil
}

func detail(run *fold.Run) runDetail {
	d := runDetail{runSummary: summarize(run)}
	if m := fold.Data[eventv1.FeaturesReady](run, churn.FeaturesReady); m != nil {
		d.Plan = m.GetPlan()
	}
	if m := fold.Data[eventv1.ModelEvaluated](run, churn.ModelEvaluated); m != nil {
		d.Metrics, d.ChampionMetrics, d.Champion = m.GetMetrics(), m.GetChampionMetrics(), m.GetChampion().GetVersion()
	}
	switch d.Status {
	case fold.Pending:
		m := fold.Data[eventv1.ApprovalRequested](run, churn.ApprovalRequested)
		d.Rules, d.Reason = m.GetRules(), "waits for approval until "+m.GetExpiresAt()+": "+m.GetSummary()
	case fold.Promoted:
		m := fold.Data[eventv1.ModelPromoted](run, churn.ModelPromoted)
		d.Rules, d.Reason = m.GetRules(), asked(m)
	case fold.Rejected:
		m := rejection(run)
		d.Rules, d.Reason, d.DryRun = m.GetRules(), m.GetReason(), m.GetDryRun()
	case fold.Failed:
		d.Reason = fold.Data[eventv1.RunFailed](run, churn.RunFailed).GetMessage()
	}
	for _, approval := range run.Approvals() {
		d.Approvals = append(d.Approvals, viewApproval(approval))
	}
	d.Trials = trialViews(run)
	for _, e := range run.Timeline() {
		d.Timeline = append(d.Timeline, step{e.Topic, e.ID, describeEvent(e)})
	}
	d.Artifacts = artifacts(run)
	return d
}

// asked says which person had the version promoted, if one had.
func asked(m *eventv1.ModelPromoted) string {
	switch {
	case m.GetRollback() != nil:
		return fmt.Sprintf("%s went back to version %d: %s", m.GetRollback().GetRequestedBy(), m.GetVersion(), m.GetRollback().GetReason())
	case m.GetOverride() != nil:
		return fmt.Sprintf("%s had it promoted though it was rejected: %s", m.GetOverride().GetRequestedBy(), m.GetOverride().GetReason())
	}
	return ""
}

func rejection(run *fold.Run) *eventv1.ModelRejected {
	return fold.Data[eventv1.ModelRejected](run, churn.ModelRejected)
}

// artifacts returns what the run's events name, without repetition, in the
// order of the stages.
func artifacts(run *fold.Run) []namedArtifact {
	var all []namedArtifact
	seen := map[string]bool{}
	for _, e := range run.Timeline() {
		churn.WalkArtifacts(e.Data, func(a *blob.Artifact) {
			if seen[a.GetUri()] || a.GetSha256() == "" {
				return
			}
			seen[a.GetUri()] = true
			all = append(all, namedArtifact{path.Join(path.Base(path.Dir(a.GetUri())), path.Base(a.GetUri())), a})
		})
	}
	return all
}

// download copies the run's artifacts to folder/<stage>/<name>.
func (p *parts) download(cmd *cobra.Command, run *fold.Run, folder string) error {
	for _, a := range artifacts(run) {
		if err := p.copyArtifact(cmd, a.Artifact, filepath.Join(folder, filepath.FromSlash(a.Name))); err != nil {
			return fmt.Errorf("copying %s: %w", a.GetUri(), err)
		}
	}
	return nil
}

// copyArtifact copies an artifact to a file, which is complete or not there.
func (p *parts) copyArtifact(cmd *cobra.Command, a *blob.Artifact, target string) (err error) {
	if a.GetSize() > maxArtifact {
		return fmt.Errorf("%d bytes are more than the limit of %d", a.GetSize(), int64(maxArtifact))
	}
	from, err := p.Store.Open(cmd.Context(), a)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	partial, err := os.CreateTemp(filepath.Dir(target), ".partial-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(partial.Name())
		}
	}()
	if _, err := io.Copy(partial, from); err != nil {
		_ = partial.Close()
		return err
	}
	if err := partial.Close(); err != nil {
		return err
	}
	return os.Rename(partial.Name(), target)
}

func detailTable(w io.Writer, tracker string, d runDetail) {
	head := fmt.Sprintf("\n%s: run %s", d.Status, d.Run)
	if d.Version > 0 {
		head = fmt.Sprintf("\n%s: %s version %d, run %s", d.Status, d.Model, d.Version, d.Run)
	}
	if d.Seconds > 0 {
		head += fmt.Sprintf(", %.2f s", d.Seconds)
	}
	if d.TrackingRun != "" {
		head += ", " + tracker + " run " + d.TrackingRun
	}
	_, _ = fmt.Fprintln(w, head)
	if d.Reason != "" {
		_, _ = fmt.Fprintln(w, "  "+d.Reason)
	}
	if d.Metrics != nil {
		_, _ = fmt.Fprintln(w)
		metricsTable(w, d)
	}
	if len(d.Rules) > 0 {
		_, _ = fmt.Fprintln(w)
		rulesTable(w, d.Rules)
	}
	if len(d.Approvals) > 0 {
		_, _ = fmt.Fprintln(w)
		answersTable(w, d.Approvals)
	}
	if len(d.Trials) > 0 {
		_, _ = fmt.Fprintln(w)
		trialsTable(w, d.Trials)
	}
	if len(d.Artifacts) > 0 {
		_, _ = fmt.Fprintln(w)
		artifactsTable(w, d.Artifacts)
	}
}

func metricsTable(w io.Writer, d runDetail) {
	row := func(name string, of func(*eventv1.Metrics) float64) []string {
		r := []string{name, metric(of(d.Metrics))}
		if d.ChampionMetrics != nil {
			r = append(r, metric(of(d.ChampionMetrics)), fmt.Sprintf("%+.4f", of(d.Metrics)-of(d.ChampionMetrics)))
		}
		return r
	}
	header := []string{"HOLD-OUT", "CANDIDATE"}
	if d.ChampionMetrics != nil {
		header = append(header, fmt.Sprintf("CHAMPION (VERSION %d)", d.Champion), "DIFFERENCE")
	}
	table(w, header, [][]string{
		row("AUC", (*eventv1.Metrics).GetAuc),
		row("accuracy", (*eventv1.Metrics).GetAccuracy),
		row("F1", (*eventv1.Metrics).GetF1),
		row("log loss", (*eventv1.Metrics).GetLogLoss),
		row("Brier", (*eventv1.Metrics).GetBrier),
		row("KS", (*eventv1.Metrics).GetKs),
	})
}

func rulesTable(w io.Writer, rules []*eventv1.Rule) {
	rows := [][]string{}
	for _, r := range rules {
		verdict := "passed"
		if !r.GetPassed() {
			verdict = "FAILED"
		}
		rows = append(rows, []string{r.GetName(), verdict, r.GetExplanation()})
	}
	table(w, []string{"RULE", "VERDICT", "WHY"}, rows)
}

func answersTable(w io.Writer, approvals []approvalView) {
	rows := [][]string{}
	for _, a := range approvals {
		verdict, by, at, reason := "pending", "", "expires "+when(a.ExpiresAt), ""
		if v := a.Answer; v != nil {
			verdict, by, at, reason = answered(v), v.By, when(v.At), v.Reason
		}
		rows = append(rows, []string{a.Approval, verdict, by, at, reason})
	}
	table(w, []string{"APPROVAL", "VERDICT", "WHO", "WHEN", "WHY"}, rows)
}

func answered(v *answerView) string {
	switch {
	case v.Expired:
		return "lapsed"
	case v.Approved:
		return "approved"
	}
	return "denied"
}

func artifactsTable(w io.Writer, all []namedArtifact) {
	rows := [][]string{}
	for _, a := range all {
		rows = append(rows, []string{a.Name, fmt.Sprint(a.GetSize()), short(a.GetSha256()), a.GetUri()})
	}
	table(w, []string{"ARTIFACT", "BYTES", "SHA-256", "URI"}, rows)
}
