package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/obs"
	"github.com/asfotec/churn/pkg/stage"
)

// readyTimeout bounds what /readyz asks.
const readyTimeout = 3 * time.Second

// listen serves /metrics, /healthz (the process lives) and /readyz (what it
// needs answers) on addr; an empty one serves nothing.
func listen(ctx context.Context, addr string, o *obs.Obs, ready func(context.Context) error) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, &usageError{churn.Errorf("service.listen", churn.Invalid, "HTTP_ADDR: %w", err)}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ready")
	})
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			o.Log.Error("HTTP listener ended", zap.Error(err))
		}
	}()
	o.Log.Info("listening", zap.String("addr", l.Addr().String()))
	return func() { _ = s.Close() }, nil
}

// ready returns what tells whether the stages can work, and if not every reason.
func ready(p Parts, b bus.Bus, runners []*stage.Runner) func(context.Context) error {
	asks := []func(context.Context) error{b.Ping, p.Store.Ping, p.Registry.Ping}
	for _, r := range runners {
		asks = append(asks, func(context.Context) error { return r.Stalled() })
	}
	return func(ctx context.Context) error {
		return errors.Join(together(ctx, readyTimeout, asks...)...)
	}
}

// together calls the functions at the same time, each within a limit, and
// returns what each said.
func together(ctx context.Context, limit time.Duration, fs ...func(context.Context) error) []error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	errs := make([]error, len(fs))
	var calls sync.WaitGroup
	for i, f := range fs {
		calls.Go(func() { errs[i] = f(ctx) })
	}
	calls.Wait()
	return errs
}
