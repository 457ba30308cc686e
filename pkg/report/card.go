package report

import (
	"cmp"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// card is the model card's part that is told nowhere else.
type card struct {
	Use      []fact
	Data     []fact
	Split    []fact
	Training []fact
	Gate     []fact
	Digests  []fact
}

type fact struct{ Name, Value string }

func (p Page) card() card {
	plan := p.Made.GetPlan()
	return card{
		Use: []fact{
			{"Model", plan.GetModel()},
			{"Meant for", plan.GetGate().GetBaselineStage()},
			{"Asked for by", cmp.Or(plan.GetRequestedBy(), "not said")},
			{"Because", cmp.Or(plan.GetReason(), "not said")},
			{"Asked for at", plan.GetRequestedAt()},
			{"Experiment", plan.GetExperiment()},
			{"Code", cmp.Or(plan.GetGitSha(), "not said")},
		},
		Data:     p.data(),
		Split:    fields(plan.GetSplit()),
		Training: fields(plan.GetTraining()),
		Gate:     fields(plan.GetGate()),
		Digests:  p.digests(),
	}
}

func (p Page) data() []fact {
	d, f, c := p.Evaluation, p.Made.GetFeatures(), p.Made.GetCandidate()
	return []fact{
		{"Training rows", count(f.GetTrainRows())},
		{"Validation rows", count(f.GetValidationRows())},
		{"Hold-out rows", count(d.Holdout.Rows)},
		{"Positive hold-out rows", count(d.Holdout.Positives) + " (" + percent(d.Holdout.Rate) + ")"},
		{"Trees", count(int64(c.GetIterations()))},
		{"Validation AUC", number(c.GetValidationAuc())},
	}
}

// fields lists a message's scalar fields in the order of their declaration.
func fields(m proto.Message) []fact {
	var out []fact
	r := m.ProtoReflect()
	declared := r.Descriptor().Fields()
	for i := range declared.Len() {
		if fd := declared.Get(i); fd.Kind() != protoreflect.MessageKind {
			out = append(out, fact{string(fd.Name()), scalar(r.Get(fd))})
		}
	}
	return out
}

func scalar(v protoreflect.Value) string {
	switch v := v.Interface().(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return strconv.Quote(v)
	default:
		return fmt.Sprint(v)
	}
}

func (p Page) digests() []fact {
	d, plan := p.Evaluation, p.Made.GetPlan()
	out := []fact{
		{"Dataset", plan.GetDataset().GetSha256()},
		{"Dataset spec", plan.GetSpec().GetSha256()},
		{"Features", p.Made.GetFeatures().GetTable().GetSha256()},
		{"Preprocessor", d.Candidate.PreprocessorSHA256},
		{"Model", d.Candidate.ModelSHA256},
		{"Trees", p.Made.GetCandidate().GetTreesSha256()},
	}
	if d.Champion != nil {
		out = append(out, fact{"Champion's model", d.Champion.ModelSHA256},
			fact{"Champion's preprocessor", d.Champion.PreprocessorSHA256})
	}
	if p.Decision != nil && p.Decision.PolicySHA256 != "" {
		out = append(out, fact{"Policy", p.Decision.PolicySHA256})
	}
	return out
}
