package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/obs"
	"github.com/asfotec/churn/pkg/stage"
)

// Exit codes of a service.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // command line or configuration
)

// grace is how long the handlers in flight may take to stop.
const grace = 10 * time.Second

// Main is a service's main: it runs the stage that build makes until SIGTERM or
// an interrupt, and exits the process. Records in flight then are delivered again
// later.
func Main(name churn.Service, build Build) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop() // a second signal kills
		time.AfterFunc(grace, func() { os.Exit(exitFailed) })
	})
	os.Exit(program{name, build, os.Stdout, os.Stderr}.run(ctx, os.Args[1:]))
}

// program is a service as a command.
type program struct {
	name     churn.Service
	build    Build
	out, err io.Writer
}

// command is what the command line asks for.
type command struct {
	config         config.Config
	help           string // empty unless asked for
	version, check bool
}

func (p program) run(ctx context.Context, args []string) int {
	c, err := p.parse(args)
	if err == nil {
		err = p.do(ctx, c)
	}
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintf(p.err, "%s: %v\n", p.name, err)
	if u := new(usageError); errors.As(err, &u) {
		_, _ = fmt.Fprintf(p.err, "See '%s --help'\n", p.name)
		return exitUsage
	}
	return exitFailed
}

// usageError is an error of the command line or the configuration.
type usageError struct{ error }

func (p program) parse(args []string) (c command, err error) {
	flags := pflag.NewFlagSet(string(p.name), pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	help := flags.BoolP("help", "h", false, "show this help")
	flags.BoolVar(&c.version, "version", false, "show the version")
	flags.BoolVar(&c.check, "check", false, "check the configuration and whether everything answers, then exit")
	envFile := flags.String("env-file", ".env", "file of settings, of lines NAME=value")
	config.Flags(flags)
	if err := flags.Parse(args); err != nil {
		return c, &usageError{err}
	}
	if flags.NArg() > 0 {
		return c, &usageError{fmt.Errorf("unexpected argument %q", flags.Arg(0))}
	}
	if *help {
		c.help = helpText(p.name, flags)
		return c, nil
	}
	if c.config, err = config.Load(flags, *envFile); err != nil {
		return c, &usageError{err}
	}
	return c, nil
}

func (p program) do(ctx context.Context, c command) error {
	switch {
	case c.help != "":
		_, err := io.WriteString(p.out, c.help)
		return err
	case c.version:
		_, err := fmt.Fprintf(p.out, "%s %s (%s)\n", p.name, config.Version, runtime.Version())
		return err
	}
	if err := c.config.Validate(); err != nil {
		return &usageError{err}
	}
	if c.check {
		return p.check(ctx, c.config)
	}
	return p.serve(ctx, c.config)
}

// serve runs the stage until ctx is done.
func (p program) serve(ctx context.Context, c config.Config) (err error) {
	o, err := obs.New(ctx, obs.Config{
		Service: string(p.name), Version: config.Version, Level: c.LogLevel, Format: c.LogFormat, Endpoint: c.OTLPEndpoint,
	})
	if err != nil {
		return &usageError{err}
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		err = errors.Join(err, o.Close(closing))
	}()
	c.Log = o.Log
	parts, b, err := connect(c, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close(), parts.Close()) }()
	s, err := p.build(ctx, parts.Traced())
	if err != nil {
		return err
	}
	rs := runners(parts, b, []stage.Stage{s})
	stop, err := listen(ctx, c.HTTPAddr, o, ready(parts, b, rs))
	if err != nil {
		return err
	}
	defer stop()
	o.Log.Info("started", zap.String("version", config.Version), zap.Object("config", c))
	defer o.Log.Info("stopped")
	return run(ctx, parts, b, rs)
}

// connect returns the parts and the bus. Their errors are of the configuration.
func connect(c config.Config, o *obs.Obs) (Parts, bus.Bus, error) {
	parts, err := NewParts(c, o.Log)
	if err != nil {
		return Parts{}, nil, &usageError{err}
	}
	parts.Tracer, parts.Metrics = o.Tracer, o.Metrics
	b, err := c.Bus()
	if err != nil {
		return Parts{}, nil, &usageError{err}
	}
	return parts, b, nil
}
