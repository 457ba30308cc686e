package notifier

import (
	"context"

	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/service"
	"github.com/asfotec/churn/pkg/stage"
)

// Build makes the notifier's stage. Without a channel it tells nobody, and says so.
func Build(_ context.Context, p service.Parts) (stage.Stage, error) {
	c := p.Config.Notify
	all, err := channels(c)
	if err != nil {
		return stage.Stage{}, err
	}
	to, err := routes(c.Routes, all)
	if err != nil {
		return stage.Stage{}, err
	}
	if p.Log != nil {
		if len(all) == 0 {
			p.Log.Warn("the notifier tells nobody: no channel is set up; see NOTIFY_SLACK_URL, NOTIFY_SMTP_URL and NOTIFY_WEBHOOK_URL")
		} else {
			p.Log.Info("the notifier tells of outcomes", zap.Strings("channels", names(all)))
		}
	}
	n := &Notifier{store: p.Store, routes: to, maxAge: c.MaxAge, count: newCounter(p.Metrics)}
	return n.Stage(), nil
}
