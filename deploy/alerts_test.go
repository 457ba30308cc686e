package deploy

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// healthy is an hour of a pipeline that is well, in Prometheus' notation for tests.
const healthy = `load 1m
  churn_dead_letters_total{service="trainer", kind="invalid"} 0x60
  churn_failed_attempts_total{service="gate", kind="transient"} 0x60
  churn_events_in_flight{service="featurizer"} 0x60
  churn_events_in_flight{service="trainer"} 1x60
  churn_events_in_flight{service="evaluator"} 0x60
  churn_events_in_flight{service="gate"} 0x60
  churn_events_in_flight{service="notifier"} 0x60
  churn_notices_total{channel="slack", result="refused"} 0x60
  churn_notices_total{channel="slack", result="sent"} 0+1x60
  churn_consumer_lag{service="trainer", topic="churn.features-ready", partition="0"} 1x30 0 1x30
  churn_event_seconds_count{service="trainer"} 0+1x60
  churn_event_seconds_bucket{service="trainer", le="10"} 0+1x60
  churn_event_seconds_bucket{service="trainer", le="1000"} 0+1x60
  churn_event_seconds_bucket{service="trainer", le="+Inf"} 0+1x60
  modelservice_model_generation{instance="a"} 3x60
  modelservice_model_generation{instance="b"} 3x60
  modelservice_promotions_total{outcome="refused"} 0x60
  modelservice_promotions_total{outcome="served"} 0+1x60
  modelservice_records_behind{instance="a"} 0x60
  modelservice_broker_up{instance="a"} 1x60
  modelservice_requests_total{status="200"} 0+600x60
  modelservice_requests_total{status="500"} 0+1x60
  modelservice_request_seconds_bucket{path="/predict", le="0.1"} 0+600x60
  modelservice_request_seconds_bucket{path="/predict", le="10"} 0+600x60
  modelservice_request_seconds_bucket{path="/predict", le="+Inf"} 0+600x60
  modelservice_rows_total 0+6000x60
  modelservice_unseen_categories_total{column="Contract"} 0+1x60
`

// Each alert is silent while all is well, and fires for what it is for: once the
// series below are as they say, and for the rest of the hour.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	ill := map[string]string{
		"ChurnDeadLetter":    `churn_dead_letters_total{service="trainer", kind="invalid"} 0x50 1x9`,
		"ChurnRetries":       `churn_failed_attempts_total{service="gate", kind="transient"} 0+6x60`,
		"ChurnStuck":         `churn_event_seconds_count{service="trainer"} 5x60`,
		"ChurnBehind":        `churn_consumer_lag{service="trainer", topic="churn.features-ready", partition="0"} 5x60`,
		"ChurnSlow":          `churn_event_seconds_bucket{service="trainer", le="10"} 0x60`,
		"ChurnServiceAway":   `churn_events_in_flight{service="gate"} 0x40`,
		"ChurnNoticeRefused": `churn_notices_total{channel="slack", result="refused"} 0x50 1x9`,
		"ModelServiceServesNothing": `modelservice_model_generation{instance="a"} 0x60
  modelservice_model_generation{instance="b"} 0x60`,
		"ModelServiceRefuses":          `modelservice_promotions_total{outcome="refused"} 0x50 1x9`,
		"ModelServiceSplit":            `modelservice_model_generation{instance="b"} 2x60`,
		"ModelServiceBehind":           `modelservice_records_behind{instance="a"} 5x60`,
		"ModelServiceFails":            `modelservice_requests_total{status="500"} 0+20x60`,
		"ModelServiceSlow":             `modelservice_request_seconds_bucket{path="/predict", le="0.1"} 0x60`,
		"ModelServiceUnseenCategories": `modelservice_unseen_categories_total{column="Contract"} 0+200x60`,
	}
	groups, errs := rulefmt.ParseFile(alertsFile, false, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			t.Run(r.Alert, func(t *testing.T) {
				t.Parallel()
				if firing(t, healthy, r) {
					t.Error("it fires while all is well")
				}
				if !firing(t, replaced(healthy, ill[r.Alert]), r) {
					t.Errorf("it does not fire when %s", ill[r.Alert])
				}
			})
		}
	}
}

// replaced returns the series with those of lines in the place of their namesakes.
func replaced(series, lines string) string {
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		name := line[:strings.LastIndex(line, "}")+1]
		before, rest, found := strings.Cut(series, "  "+name+" ")
		if !found {
			return series + "  " + line + "\n"
		}
		_, after, _ := strings.Cut(rest, "\n")
		series = before + "  " + line + "\n" + after
	}
	return series
}

// firing reports whether the rule's expression holds near the end of the hour, and
// did as long before as the rule asks for, half an hour at most.
func firing(t *testing.T, series string, r rulefmt.Rule) bool {
	t.Helper()
	storage := promqltest.LoadedStorage(t, series)
	defer storage.Close()
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	end := time.Unix(0, 0).Add(58 * time.Minute)
	for _, at := range []time.Time{end, end.Add(-min(time.Duration(r.For), 30*time.Minute))} {
		q, err := engine.NewInstantQuery(t.Context(), storage, nil, r.Expr, at)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		found, err := q.Exec(t.Context()).Vector()
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			return false
		}
	}
	return true
}
