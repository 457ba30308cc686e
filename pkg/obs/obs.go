// Package obs sets up what a program is observed by, once: structured logs
// (zap), traces (OpenTelemetry) and metrics (Prometheus).
package obs

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/asfotec/churn/pkg/churn"
)

// Config says how a program is observed.
type Config struct {
	Service  string // shown as the service's name in logs and traces
	Version  string
	Level    zapcore.Level
	Format   string    // json, console or auto: console where standard error is a terminal
	Endpoint string    // of an OTLP collector over HTTP; empty exports no traces
	Output   io.Writer // of the log; nil: standard error
}

// Obs is what a program is observed by.
type Obs struct {
	Log     *zap.Logger
	Tracer  trace.TracerProvider
	Metrics *prometheus.Registry

	flush func(context.Context) error // of the traces
}

// New sets everything up. Logs go to standard error.
func New(ctx context.Context, c Config) (*Obs, error) {
	o := &Obs{Log: NewLogger(c), Metrics: newMetrics(c.Version)}
	var err error
	if o.Tracer, o.flush, err = newTracer(ctx, c, o.Log); err != nil {
		return nil, churn.E("obs.New", churn.Invalid, err)
	}
	return o, nil
}

// Close hands over the traces that are waiting, as long as ctx allows.
func (o *Obs) Close(ctx context.Context) error {
	err := o.flush(ctx)
	_ = o.Log.Sync() // standard error cannot always be synced
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil // a collector that is away loses traces, nothing else
	}
	return err
}

// NewLogger returns a logger to the configuration's output.
func NewLogger(c Config) *zap.Logger {
	var out io.Writer = os.Stderr
	if c.Output != nil {
		out = c.Output
	}
	core := zapcore.NewCore(encoder(c.Format), zapcore.Lock(zapcore.AddSync(out)), c.Level)
	return zap.New(core).Named(c.Service)
}

func encoder(format string) zapcore.Encoder {
	if format == "console" || format != "json" && isatty.IsTerminal(os.Stderr.Fd()) {
		e := zap.NewDevelopmentEncoderConfig()
		e.EncodeLevel = zapcore.CapitalColorLevelEncoder
		if format == "console" && !isatty.IsTerminal(os.Stderr.Fd()) {
			e.EncodeLevel = zapcore.CapitalLevelEncoder
		}
		e.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		return zapcore.NewConsoleEncoder(e)
	}
	e := zap.NewProductionEncoderConfig()
	e.TimeKey, e.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	e.EncodeDuration = zapcore.StringDurationEncoder
	return zapcore.NewJSONEncoder(e)
}

func newMetrics(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "churn_build_info", Help: "1, with the version of the program.",
	}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build)
	return r
}
