package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/embedded"
	"github.com/asfotec/churn/pkg/obs"
	"github.com/asfotec/churn/pkg/service"
)

// anyPort lets a part take the port it had last time, or a free one.
const anyPort = "127.0.0.1:0"

// stackOptions says which parts of the local stack to run, and where.
type stackOptions struct {
	broker, store, services, modelService bool
	brokerAddr, storeAddr                 string
	port                                  int
	temporary                             bool // ends with the command
}

// stack is the local stack, or some parts of it, running in this process.
type stack struct {
	dir    string
	config config.Config // that reaches it
	file   stackFile
	model  *modelService
	log    *zap.Logger

	cancel context.CancelFunc // stops services and ModelService
	group  *errgroup.Group    // that run until then
	ending context.Context    // done when they are to end or one has failed
	stops  []func() error     // of everything else, in the order of starting
}

// startStack starts the parts, each in the state folder. Parts that are not
// chosen are those that the configuration names.
func startStack(ctx context.Context, a *app, o stackOptions) (_ *stack, err error) {
	s := &stack{dir: a.config.StateDir, config: a.config}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	// The parts outlive ctx: they are stopped in order by close.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.group, s.ending = errgroup.WithContext(running)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	model, err := s.findModelService(o) // before the store changes the working directory
	if err != nil {
		return nil, err
	}
	for _, start := range []struct {
		wanted bool
		part   func(context.Context) error
	}{
		{true, s.openLog},
		{o.broker, func(ctx context.Context) error { return s.startBroker(ctx, o.brokerAddr) }},
		{o.store, func(ctx context.Context) error { return s.startStore(ctx, o.storeAddr) }},
		{o.modelService, func(context.Context) error { s.startModelService(model); return nil }},
		{o.broker && o.store, func(context.Context) error { return s.provision(ctx) }},
		{o.services, s.startServices},
		{o.modelService && !o.temporary, func(context.Context) error { return s.awaitModelService(ctx) }},
		{o.broker && o.store, func(context.Context) error { return s.announce(o.temporary) }},
	} {
		if !start.wanted {
			continue
		}
		if err := start.part(context.WithoutCancel(ctx)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// logFile is where the services' logs go: the terminal is for the command.
func (s *stack) logFile() string { return filepath.Join(s.dir, "services.log") }

func (s *stack) openLog(context.Context) error {
	file, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	s.stops = append(s.stops, file.Close)
	s.log = obs.NewLogger(obs.Config{Service: "churnctl", Level: s.config.LogLevel, Format: "json", Output: file})
	s.config.Log = s.log
	return nil
}

func (s *stack) startBroker(ctx context.Context, addr string) error {
	if addr == "" {
		addr = anyPort
	}
	b, err := embedded.StartBroker(ctx, filepath.Join(s.dir, "broker"), addr)
	if err != nil {
		return err
	}
	s.stops = append(s.stops, b.Close)
	s.config.Brokers, s.file.Broker = []string{b.Addr()}, b.Addr()
	return nil
}

func (s *stack) startStore(ctx context.Context, addr string) error {
	if addr == "" {
		addr = anyPort
	}
	dir := filepath.Join(s.dir, "store")
	st, err := embedded.StartStore(ctx, dir, addr, "", "")
	if err != nil {
		return err
	}
	s.stops = append(s.stops, st.Close)
	s.config.S3Endpoint, s.config.S3AccessKey, s.config.S3SecretKey = st.Endpoint(), st.AccessKey(), config.Secret(st.SecretKey())
	s.file.Store, s.file.Credentials = st.Endpoint(), filepath.Join(dir, "credentials.json")
	return nil
}

// provision makes topics and bucket.
func (s *stack) provision(ctx context.Context) error {
	p, err := connect(s.config)
	if err != nil {
		return err
	}
	defer p.close()
	return service.Provision(ctx, p.Parts, p.bus, churn.Users()...)
}

func (s *stack) startServices(ctx context.Context) error {
	p, err := connect(s.config)
	if err != nil {
		return err
	}
	s.stops = append(s.stops, p.close)
	o, err := obs.New(ctx, obs.Config{Service: "churnctl", Version: config.Version, Endpoint: s.config.OTLPEndpoint})
	if err != nil {
		return err
	}
	s.stops = append(s.stops, func() error { return o.Close(context.WithoutCancel(ctx)) })
	p.Tracer, p.Metrics = o.Tracer, o.Metrics
	stages, err := buildStages(s.ending, p.Traced())
	if err != nil {
		return err
	}
	s.group.Go(func() error { return service.Run(s.ending, p.Parts, p.bus, stages...) })
	return nil
}

// findModelService returns where ModelService is installed, if it is wanted.
func (s *stack) findModelService(o stackOptions) (*modelService, error) {
	if !o.modelService {
		return nil, nil
	}
	python, dir, err := findModelService()
	return &modelService{python: python, dir: dir, state: s.dir, port: o.port}, err
}

func (s *stack) startModelService(m *modelService) {
	m.env, m.log = s.config.Environ(), s.log
	s.model = m
	s.group.Go(func() error { m.run(s.ending); return nil })
}

func (s *stack) awaitModelService(ctx context.Context) (err error) {
	s.file.ModelService, err = s.model.waitListening(ctx)
	return err
}

// announce lets other commands find the stack, now that all of it answers.
func (s *stack) announce(temporary bool) error {
	s.file.PID, s.file.Bucket, s.file.Temporary = os.Getpid(), s.config.Bucket, temporary
	s.stops = append(s.stops, func() error { return removeStackFile(s.dir) })
	return s.file.write(s.dir)
}

// wait returns when ctx is done or a part has failed.
func (s *stack) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.ending.Done():
	}
}

// close stops services first, and the broker last.
func (s *stack) close() error {
	s.cancel()
	errs := []error{s.group.Wait()}
	for i := len(s.stops) - 1; i >= 0; i-- {
		errs = append(errs, s.stops[i]())
	}
	return errors.Join(errs...)
}
