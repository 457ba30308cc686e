package doctor

import (
	"context"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
)

// planned is a bus that has every topic, made otherwise than it should be.
type planned struct {
	bus.Bus
	bus.Provisioner
	plan []bus.Change
	err  error
}

func (planned) Ping(context.Context) error { return nil }

func (planned) Topics(context.Context) (all []string, err error) {
	for _, t := range TopicsOf("x.", churn.Users()...) {
		all = append(all, t.Name)
	}
	return all, nil
}

func (p planned) PlanTopics(context.Context, bus.Wanted) ([]bus.Change, error) { return p.plan, p.err }

// Topics that are made otherwise still work, and are warned of, where the user is
// told; more partitions are somebody's choice.
func TestTopicsMadeOtherwise(t *testing.T) {
	t.Parallel()
	short := bus.Change{Topic: "x.run-failed", Setting: "retention.ms", Is: "1000", Want: "-1"}
	for name, test := range map[string]struct {
		plan   []bus.Change
		err    error
		status Status
		says   string
	}{
		"as they should be": {status: OK, says: "x.*"},
		"short retention":   {plan: []bus.Change{short}, status: Warn, says: "x.run-failed has retention.ms 1000, not -1"},
		"more partitions":   {plan: []bus.Change{{Topic: "x.run-failed", Setting: bus.SettingPartitions, Is: "10", Want: "6"}}, status: OK},
		"fewer partitions":  {plan: []bus.Change{{Topic: "x.run-failed", Setting: bus.SettingPartitions, Is: "2", Want: "6"}}, status: Warn, says: "partitions 2"},
		"not told":          {err: churn.Errorf("test", churn.Denied, "no"), status: OK},
		"away":              {err: churn.Errorf("test", churn.Transient, "away"), status: Fail, says: "away"},
	} {
		b := planned{plan: test.plan, err: test.err}
		f := Topics(config.Config{TopicPrefix: "x."}, b, churn.Trainer, churn.Gate).Try(t.Context())
		if f.Status != test.status || !strings.Contains(f.Found, test.says) || (f.Status == Warn) != strings.Contains(f.Advice, "churnctl topics") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
