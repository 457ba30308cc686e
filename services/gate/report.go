package gate

import (
	"bytes"
	"context"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/report"
	"github.com/asfotec/churn/pkg/shap"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

const mediaHTML = "text/html; charset=utf-8"

// maxImage is the most bytes that an image of the report may have.
const maxImage = 8 << 20

// judged is an event that names all that a decision is about.
type judged interface {
	report.Made
	GetEvaluation() *eventv1.Evaluation
}

// report writes the evaluation's report with the decision in it. One that cannot
// be made, now or later, is nil and stops no decision: the evaluation is of another
// version, say.
func (g *Gate) report(ctx context.Context, m judged, d *decision) (*blob.Artifact, error) {
	if d.Outcome == Superseded { // the run goes on
		return nil, nil
	}
	p, err := g.page(ctx, m)
	if churn.IsKind(err, churn.Invalid) || churn.IsKind(err, churn.NotFound) {
		stage.Logger(ctx).Warn("the decision has no report", zap.Error(err))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p.Decision = d.reported()
	body, err := report.Render(*p)
	if err != nil {
		return nil, err
	}
	at := key(d.Run, d.Round, churn.ReportHTML)
	a, err := g.store.Put(ctx, at, mediaHTML, bytes.NewReader(body))
	if churn.IsKind(err, churn.Conflict) { // of an earlier attempt, by another version of the gate: it says the same
		return g.store.Stat(ctx, at)
	}
	return a, err
}

// page reads what the report shows of the evaluation, all at once.
func (g *Gate) page(ctx context.Context, m judged) (*report.Page, error) {
	p := &report.Page{Made: m}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		text, err := g.store.Get(ctx, m.GetEvaluation().GetEvaluation(), evaluation.MaxDocument)
		if err == nil {
			p.Evaluation, err = evaluation.Parse(text)
		}
		return err
	})
	if a := m.GetCandidate().GetContributions(); a != nil { // else of an older trainer
		group.Go(func() error {
			text, err := g.store.Get(ctx, a, shap.MaxDocument)
			if err == nil {
				p.Contributions, err = shap.Parse(text)
			}
			return err
		})
	}
	for _, image := range []struct {
		from *blob.Artifact
		to   *[]byte
	}{
		{m.GetEvaluation().GetRocPlot(), &p.ROC},
		{m.GetEvaluation().GetPrPlot(), &p.PR},
		{m.GetEvaluation().GetCalibrationPlot(), &p.Calibration},
		{m.GetCandidate().GetImportancesPlot(), &p.Importances},
	} {
		group.Go(func() (err error) {
			*image.to, err = g.store.Get(ctx, image.from, maxImage)
			return err
		})
	}
	return p, group.Wait()
}

// reported returns the decision as the report shows it.
func (d *decision) reported() *report.Decision {
	out := &report.Decision{
		Outcome: string(d.Outcome), Kind: string(d.Kind), Reason: d.Reason, Run: d.Run, Stage: d.Stage,
		RequestedBy: d.RequestedBy, Rules: d.rules,
	}
	if d.Promotion != nil {
		out.Version, out.Previous = d.Promotion.Version, d.Promotion.PreviousVersion
	}
	if d.Policy != nil {
		out.Policy, out.PolicySHA256, out.Look = d.Policy.Name, d.Policy.SHA256, d.Policy.Look
	}
	if a := d.Approval; a != nil {
		out.Approval = &report.Approval{Verdict: "denied", DecidedBy: a.DecidedBy, DecidedAt: a.DecidedAt, Reason: a.Reason}
		switch {
		case a.Expired:
			out.Approval.Verdict = "lapsed"
		case a.Approved:
			out.Approval.Verdict = "approved"
		}
	}
	return out
}
