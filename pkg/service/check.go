package service

import (
	"context"
	"errors"
	"strings"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/doctor"
	"github.com/asfotec/churn/pkg/obs"
)

// check says of each part whether it answers and lets the service do its work.
func (p program) check(ctx context.Context, c config.Config) error {
	o, err := obs.New(ctx, obs.Config{Service: string(p.name), Level: c.LogLevel, Format: c.LogFormat})
	if err != nil {
		return &usageError{err}
	}
	parts, b, err := connect(c, o)
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(b.Close(), parts.Close()) }()
	findings := doctor.Run(ctx, p.checks(parts, b)...)
	doctor.Print(p.out, findings)
	if failed := doctor.Failed(findings); len(failed) > 0 {
		return errors.New("not ready: " + strings.Join(failed, ", "))
	}
	return nil
}

func (p program) checks(parts Parts, b bus.Bus) []doctor.Check {
	c := parts.Config
	return []doctor.Check{
		doctor.Broker(c, b),
		doctor.Topics(c, b, p.name),
		doctor.Permissions(c, b, p.name),
		doctor.Store(c, parts.Store),
		doctor.Registry(c, parts.Registry),
		{Name: "stage", Try: func(ctx context.Context) doctor.Finding {
			if _, err := p.build(ctx, parts); err != nil {
				return doctor.Finding{Status: doctor.Fail, Found: err.Error()}
			}
			return doctor.Finding{Status: doctor.OK, Found: string(p.name)}
		}},
	}
}
