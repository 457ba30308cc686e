package fold

import (
	"cmp"
	"slices"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Cause says what brought a version into production.
type Cause string

// The causes.
const (
	ByRules    Cause = "retrain"  // every rule passed
	ByApproval Cause = "approval" // every rule passed, and a person agreed
	ByRollback Cause = "rollback"
	ByOverride Cause = "override"
)

// Chain is the champions of a model's stage, one after the other.
type Chain struct {
	Model, Stage string
	Champions    []Champion // by generation
}

// Current returns the newest champion. A chain has one at least.
func (c Chain) Current() Champion { return c.Champions[len(c.Champions)-1] }

// Champion is a version's time in production.
type Champion struct {
	Generation int64
	Version    int64
	Previous   int64     // the version that it replaced; 0 if there was none
	Run        string    // that trained it
	Asked      string    // the run that promoted it: of the rollback or override, if it was one
	Since      time.Time // when it was promoted
	Until      time.Time // when the next one was; zero if it is in production
	Cause      Cause
	Reason     string // what who asked, approved, rolled back or overrode gave; may be empty
	By         string // who that was; may be empty
	Metrics    *eventv1.Metrics
}

// Chains returns the chain of every model and stage, sorted by both.
func (r Runs) Chains() []Chain {
	type name struct{ model, stage string }
	links := map[name]map[int64]Champion{}
	for _, run := range r {
		for _, e := range run.Events {
			m, ok := e.Data.(*eventv1.ModelPromoted)
			if !ok || e.Topic != churn.ModelPromoted {
				continue
			}
			n, c := name{m.GetModel(), m.GetPlan().GetGate().GetBaselineStage()}, champion(m)
			c.Asked, c.Since = run.ID, run.At(e)
			if links[n] == nil {
				links[n] = map[int64]Champion{}
			}
			if known, ok := links[n][c.Generation]; !ok || before(c, known) {
				links[n][c.Generation] = c
			}
		}
	}
	chains := make([]Chain, 0, len(links))
	for n, of := range links {
		chains = append(chains, Chain{n.model, n.stage, chain(of)})
	}
	slices.SortFunc(chains, func(a, b Chain) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Stage, b.Stage))
	})
	return chains
}

// before tells which of two promotions of one generation counts: the registry
// allows one, so that the other is of a log that was put together from two.
func before(a, b Champion) bool {
	return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Asked, b.Asked), cmp.Compare(a.Run, b.Run), cmp.Compare(a.Version, b.Version)) < 0
}

// chain orders champions by generation, each until the next.
func chain(of map[int64]Champion) []Champion {
	champions := make([]Champion, 0, len(of))
	for _, c := range of {
		champions = append(champions, c)
	}
	slices.SortFunc(champions, func(a, b Champion) int { return cmp.Compare(a.Generation, b.Generation) })
	for i := range champions[:len(champions)-1] {
		champions[i].Until = champions[i+1].Since
	}
	return champions
}

// champion returns what the event itself says.
func champion(m *eventv1.ModelPromoted) Champion {
	c := Champion{
		Generation: m.GetGeneration(), Version: m.GetVersion(), Previous: m.GetPreviousVersion(), Run: m.GetRun(), Metrics: m.GetMetrics(),
		Cause: ByRules, Reason: m.GetPlan().GetReason(), By: m.GetPlan().GetRequestedBy(),
	}
	switch {
	case m.GetRollback() != nil:
		c.Cause, c.Reason, c.By = ByRollback, m.GetRollback().GetReason(), m.GetRollback().GetRequestedBy()
	case m.GetOverride() != nil:
		c.Cause, c.Reason, c.By = ByOverride, m.GetOverride().GetReason(), m.GetOverride().GetRequestedBy()
	case m.GetApproval() != nil:
		c.Cause, c.Reason, c.By = ByApproval, m.GetApproval().GetReason(), m.GetApproval().GetDecidedBy()
	}
	return c
}
