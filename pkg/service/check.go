package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/obs"
	"github.com/asfotec/churn/pkg/stage"
)

// checkTimeout bounds --check.
const checkTimeout = 15 * time.Second

// check says of each part whether it answers.
func (p program) check(ctx context.Context, c config.Config) error {
	o, err := obs.New(ctx, obs.Config{Service: string(p.name), Level: c.LogLevel, Format: c.LogFormat})
	if err != nil {
		return &usageError{err}
	}
	parts, b, err := connect(c, o)
	if err != nil {
		return err
	}
	defer b.Close()
	if failed := p.report(ctx, p.steps(parts, b)); len(failed) > 0 {
		return errors.New("not ready: " + strings.Join(failed, ", "))
	}
	return nil
}

// report tries the steps, all at once, says how each went, and returns the names
// of those that failed.
func (p program) report(ctx context.Context, steps []step) (failed []string) {
	var tries []func(context.Context) error
	for _, s := range steps {
		tries = append(tries, s.try)
	}
	for i, err := range together(ctx, checkTimeout, tries...) {
		s := steps[i]
		if err != nil {
			failed = append(failed, s.name)
			_, _ = fmt.Fprintf(p.out, "FAIL  %-13s %v\n", s.name, err)
			continue
		}
		_, _ = fmt.Fprintf(p.out, "ok    %-13s %s\n", s.name, s.what)
	}
	return failed
}

type step struct {
	name, what string
	try        func(context.Context) error
}

func (p program) steps(parts Parts, b bus.Bus) []step {
	c := parts.Config
	return []step{
		{"broker", strings.Join(c.Brokers, ","), b.Ping},
		{"topics", c.TopicPrefix + "*", func(ctx context.Context) error { return topicsThere(ctx, b, p.name, c.TopicPrefix) }},
		{"object store", c.S3Endpoint + " bucket " + c.Bucket, parts.Store.Ping},
		{"registry", "answers", parts.Registry.Ping},
		{"stage", string(p.name), func(ctx context.Context) error { _, err := p.build(ctx, parts); return err }},
	}
}

// topicsThere returns an error that names the service's topics that are
// missing.
func topicsThere(ctx context.Context, b bus.Bus, s churn.Service, prefix string) error {
	there, err := b.Topics(ctx)
	if err != nil {
		return err
	}
	var missing []string
	for _, t := range stage.Topics(prefix) {
		spec, _ := churn.Topic(strings.TrimPrefix(t.Name, prefix)).Spec()
		own := t.Name == s.RetryTopic().Name(prefix) || t.Name == s.DeadLetterTopic().Name(prefix)
		if (own || slices.Contains(spec.Consumers, s) || slices.Contains(spec.Producers, s)) && !slices.Contains(there, t.Name) {
			missing = append(missing, t.Name)
		}
	}
	if len(missing) > 0 {
		return churn.Errorf("service.check", churn.NotFound,
			"missing: %s; a service makes them when it starts, if the broker lets it", strings.Join(missing, ", "))
	}
	return nil
}
