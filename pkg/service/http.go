package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

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
		if err := within(r.Context(), readyTimeout, ready); err != nil {
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

// ready returns what tells whether the stages can work.
func ready(p Parts, b bus.Bus, runners []*stage.Runner) func(context.Context) error {
	return func(ctx context.Context) error {
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return b.Ping(ctx) })
		g.Go(func() error { return p.Store.Ping(ctx) })
		g.Go(func() error { return p.Registry.Ping(ctx) })
		for _, r := range runners {
			g.Go(r.Stalled)
		}
		return g.Wait()
	}
}
