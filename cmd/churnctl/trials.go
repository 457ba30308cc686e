package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/fold"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// trialView is one trial of a search, and its JSON.
type trialView struct {
	Trial    int32             `json:"trial"`
	Rung     int32             `json:"rung"`
	Settings map[string]string `json:"settings"` // those that vary
	Trees    int32             `json:"trees,omitempty"`
	AUC      *float64          `json:"auc"` // over the folds, or of the validation rows; null without a model
	Failure  string            `json:"failure,omitempty"`
	Winner   bool              `json:"winner"`

	varied []string // names of Settings, in the search's order
}

func trialViews(run *fold.Run) []trialView {
	winner, won := run.Winner()
	varied := []string{}
	for _, d := range fold.Data[eventv1.FeaturesReady](run, churn.FeaturesReady).GetPlan().GetSearch().GetDimensions() {
		varied = append(varied, d.GetParameter())
	}
	var out []trialView
	for _, t := range run.Trials() {
		v := trialView{
			Trial: t.Number, Rung: t.Rung, Settings: map[string]string{}, Trees: t.Model.GetIterations(),
			Failure: t.Failure.GetMessage(), Winner: won && winner == t.Number, varied: varied,
		}
		for _, name := range varied {
			v.Settings[name] = setting(t.Training, name)
		}
		if score := t.Score(); t.Model != nil {
			v.AUC = &score
		}
		out = append(out, v)
	}
	return out
}

// setting returns a setting by its name, as text.
func setting(t *eventv1.Training, name string) string {
	fd := t.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(name))
	if t == nil || fd == nil {
		return ""
	}
	return fmt.Sprint(t.ProtoReflect().Get(fd).Interface())
}

func trialsTable(w io.Writer, trials []trialView) {
	header := []string{"TRIAL", "RUNG"}
	for _, name := range trials[0].varied {
		header = append(header, strings.ToUpper(strings.ReplaceAll(name, "_", " ")))
	}
	rows := [][]string{}
	for _, t := range trials {
		row := []string{strconv.Itoa(int(t.Trial)), strconv.Itoa(int(t.Rung))}
		for _, name := range t.varied {
			row = append(row, t.Settings[name])
		}
		outcome := "training"
		switch {
		case t.Failure != "":
			outcome = "failed: " + t.Failure
		case t.Winner:
			outcome = "the best"
		case t.AUC != nil:
			outcome = ""
		}
		rows = append(rows, append(row, number(int64(t.Trees)), known(t.AUC), outcome))
	}
	table(w, append(header, "TREES", "AUC", ""), rows)
}
