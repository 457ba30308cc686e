package main

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/asfotec/churn/pkg/event"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// view shows a run on standard error while it goes on: a bar on a terminal, a
// line per stage everywhere, nothing with -o json.
type view struct {
	app      *app
	bar      *progressbar.ProgressBar
	stage    string
	started  time.Time
	tracking string // the tracking server's id of the run
}

func newView(a *app, request event.Event) *view {
	v := &view{app: a, started: time.Now()}
	v.line("run %s requested", request.Run())
	return v
}

func (v *view) progress(p *eventv1.RunProgress) {
	if p.GetTrackingRun() != "" {
		v.tracking = p.GetTrackingRun()
	}
	if v.app.json() || !v.app.terminal {
		return
	}
	if v.bar == nil || v.stage != p.GetStage() {
		v.close()
		v.stage = p.GetStage()
		v.bar = progressbar.NewOptions64(max(p.GetTotal(), -1),
			progressbar.OptionSetWriter(v.app.err), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetWidth(30), progressbar.OptionSetPredictTime(false), progressbar.OptionShowCount())
	}
	v.bar.ChangeMax64(max(p.GetTotal(), 1))
	v.bar.Describe(describe(p))
	_ = v.bar.Set64(min(p.GetDone(), max(p.GetTotal(), 1)))
}

func describe(p *eventv1.RunProgress) string {
	text := fmt.Sprintf("%-10s %s", p.GetStage(), p.GetActivity())
	if p.GetMetric() != "" {
		text += fmt.Sprintf("  %s %.4f", p.GetMetric(), p.GetValue())
	}
	return text
}

func (v *view) event(e event.Event) {
	v.close()
	text := describeEvent(e)
	if v.tracking != "" {
		text += "  (" + v.app.tracker() + " run " + v.tracking + ")"
	}
	v.line("%6.2f s  %s", time.Since(v.started).Seconds(), text)
}

// close takes the bar off the screen.
func (v *view) close() {
	if v.bar != nil {
		_ = v.bar.Clear()
		v.bar = nil
	}
}

func (v *view) line(format string, args ...any) {
	if !v.app.json() {
		_, _ = fmt.Fprintf(v.app.err, format+"\n", args...)
	}
}

// describeEvent says in a line what an event means.
func describeEvent(e event.Event) string {
	switch m := e.Data.(type) {
	case *eventv1.RetrainRequested:
		return "request     " + m.GetDataset().GetUri()
	case *eventv1.FeaturesReady:
		if m.GetTrials() > 1 {
			return describeTrial(m)
		}
		f := m.GetFeatures()
		return fmt.Sprintf("featurizer  %d rows: %d train, %d validation, %d hold-out",
			f.GetTrainRows()+f.GetValidationRows()+f.GetHoldoutRows(), f.GetTrainRows(), f.GetValidationRows(), f.GetHoldoutRows())
	case *eventv1.ModelTrained:
		if f := m.GetFailure(); f != nil {
			return fmt.Sprintf("trainer     trial %d of %d failed (%s): %s", m.GetTrial(), m.GetTrials(), f.GetKind(), f.GetMessage())
		}
		if m.GetTrials() > 1 {
			return fmt.Sprintf("trainer     trial %d of %d: %d trees, %s", m.GetTrial(), m.GetTrials(), m.GetCandidate().GetIterations(), describeScore(m.GetCandidate()))
		}
		if m.GetRound() > 0 {
			return fmt.Sprintf("gate        the champion has changed: evaluating again (round %d)", m.GetRound())
		}
		return fmt.Sprintf("trainer     %d trees, validation AUC %.4f", m.GetCandidate().GetIterations(), m.GetCandidate().GetValidationAuc())
	case *eventv1.ModelEvaluated:
		text := "evaluator   "
		if m.GetPlan().GetSearch() != nil {
			text += fmt.Sprintf("trial %d is the best; ", m.GetTrial())
		}
		text += fmt.Sprintf("hold-out AUC %.4f, accuracy %.4f, F1 %.4f",
			m.GetMetrics().GetAuc(), m.GetMetrics().GetAccuracy(), m.GetMetrics().GetF1())
		if m.GetChampion() != nil {
			text += fmt.Sprintf("; champion version %d AUC %.4f", m.GetChampion().GetVersion(), m.GetChampionMetrics().GetAuc())
		}
		return text
	case *eventv1.ApprovalRequested:
		return fmt.Sprintf("gate        asks for approval until %s: %s", m.GetExpiresAt(), m.GetSummary())
	case *eventv1.ApprovalDecided:
		return describeAnswer(m)
	case *eventv1.RollbackRequested:
		return fmt.Sprintf("request     back to %s, by %s: %s", formerVersion(m), m.GetRequestedBy(), m.GetReason())
	case *eventv1.OverrideRequested:
		return fmt.Sprintf("request     promote run %s though it was rejected, by %s: %s", m.GetRun(), m.GetRequestedBy(), m.GetReason())
	case *eventv1.CancelRequested:
		return fmt.Sprintf("request     cancel, by %s: %s", m.GetRequestedBy(), m.GetReason())
	case *eventv1.ModelPromoted:
		return fmt.Sprintf("gate        promoted: %s version %d", m.GetModel(), m.GetVersion())
	case *eventv1.ModelRejected:
		return "gate        rejected: " + m.GetReason()
	case *eventv1.RunFailed:
		return fmt.Sprintf("%-10s  failed (%s): %s", m.GetStage(), m.GetKind(), m.GetMessage())
	default:
		return e.Type
	}
}

func describeTrial(m *eventv1.FeaturesReady) string {
	service := "featurizer"
	if m.GetRung() > 0 {
		service = "evaluator "
	}
	t := m.GetTraining()
	return fmt.Sprintf("%s  trial %d of %d, rung %d: %d iterations of %d leaves at %v", service, m.GetTrial(), m.GetTrials(), m.GetRung(),
		t.GetNumIterations(), t.GetNumLeaves(), t.GetLearningRate())
}

// describeScore says what trials are chosen by.
func describeScore(m *eventv1.TrainedModel) string {
	if m.GetFoldsAuc() > 0 {
		return fmt.Sprintf("AUC over the folds %.4f", m.GetFoldsAuc())
	}
	return fmt.Sprintf("validation AUC %.4f", m.GetValidationAuc())
}

func describeAnswer(m *eventv1.ApprovalDecided) string {
	verdict := "denied"
	switch {
	case m.GetExpired():
		return "gate        nobody has decided in time"
	case m.GetApproved():
		verdict = "approved"
	}
	return fmt.Sprintf("answer      %s by %s: %s", verdict, m.GetDecidedBy(), m.GetReason())
}

func formerVersion(m *eventv1.RollbackRequested) string {
	if m.GetToVersion() == 0 {
		return "the version before"
	}
	return fmt.Sprintf("version %d", m.GetToVersion())
}
