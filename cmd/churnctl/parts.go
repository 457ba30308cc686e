package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/service"
)

// mode is what a verb needs of the pipeline.
type mode int

const (
	readOnly         mode = iota // log, store and registry; nothing is processed
	storeOnly                    // the same, for a stage by hand
	readWrite                    // services that take a request up
	withModelService             // ModelService, too
)

// parts is an open pipeline: the cluster of the environment, the running local
// stack, or one that this command runs itself.
type parts struct {
	service.Parts
	bus    bus.Bus
	prefix string
	stack  *stack // if this command runs it
	url    string // of a running stack's ModelService
}

// open opens the pipeline that the settings and the state folder name.
func (a *app) open(ctx context.Context, m mode) (*parts, error) {
	if len(a.config.Brokers) > 0 {
		if m == withModelService {
			return nil, usageErrorf("quickstart is for one machine: with KAFKA_BROKERS set, use `churnctl retrain`")
		}
		return a.cluster(ctx, m)
	}
	running, err := readStackFile(a.config.StateDir)
	switch {
	case err == nil && running.alive():
		return a.join(running, m)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	return a.own(ctx, m)
}

// How long a command waits for a cluster that is away, and for one that is there
// to have its topics made. Services wait for ever.
const (
	reachPatience     = 6 * time.Second
	provisionPatience = time.Minute
)

// cluster opens the pipeline that the environment names. What writes to it finds
// topics and bucket there, even before any service has run.
func (a *app) cluster(ctx context.Context, m mode) (*parts, error) {
	p, err := connect(a.config)
	if err != nil || m == readOnly {
		return p, err
	}
	var users []churn.Service
	if m != storeOnly {
		users = []churn.Service{churn.Client}
	}
	if err := p.provision(ctx, users); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *parts) provision(ctx context.Context, users []churn.Service) error {
	reach, cancel := context.WithTimeout(ctx, reachPatience)
	defer cancel()
	if err := service.Reach(reach, p.Parts, p.bus); err != nil {
		return err
	}
	ctx, cancel = context.WithTimeout(ctx, provisionPatience)
	defer cancel()
	return service.Provision(ctx, p.Parts, p.bus, users...)
}

// connect opens the parts that the configuration names.
func connect(c config.Config) (*parts, error) {
	sp, err := service.NewParts(c, c.Log)
	if err != nil {
		return nil, err
	}
	b, err := c.Bus()
	if err != nil {
		return nil, err
	}
	return &parts{Parts: sp, bus: b, prefix: c.TopicPrefix}, nil
}

// join opens the local stack that another process runs.
func (a *app) join(running stackFile, m mode) (*parts, error) {
	if m >= readWrite && running.Temporary {
		return nil, usageErrorf("process %d is retraining on %s and stops the stack when it is done: wait for it, or keep a stack running with `churnctl up`",
			running.PID, a.shown(a.config.StateDir))
	}
	if m == withModelService && running.ModelService == "" {
		return nil, usageErrorf("the running local stack has no ModelService: stop it and start it with `churnctl up`")
	}
	c, err := running.reach(a.config)
	if err != nil {
		return nil, err
	}
	p, err := connect(c)
	if err != nil {
		return nil, err
	}
	p.url = running.ModelService
	return p, nil
}

// own runs the local stack inside this command, as far as m needs it.
func (a *app) own(ctx context.Context, m mode) (*parts, error) {
	if _, err := os.Stat(a.config.StateDir); m == readOnly && errors.Is(err, os.ErrNotExist) {
		return nil, usageErrorf("there is nothing in %s yet: begin with `churnctl retrain`, or set KAFKA_BROKERS", a.shown(a.config.StateDir))
	}
	s, err := startStack(ctx, a, stackOptions{
		broker: true, store: true, services: m >= readWrite, modelService: m == withModelService, temporary: true,
	})
	if err != nil {
		return nil, err
	}
	p, err := connect(s.config)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	p.stack = s
	return p, nil
}

// close closes what was opened.
func (p *parts) close() error {
	err := errors.Join(p.bus.Close(), p.Close())
	if p.stack != nil {
		err = errors.Join(err, p.stack.close())
	}
	return err
}

// modelService returns the address of ModelService once it answers.
func (p *parts) modelService(ctx context.Context) (string, error) {
	if p.stack == nil {
		return p.url, nil
	}
	return p.stack.model.waitListening(ctx)
}
