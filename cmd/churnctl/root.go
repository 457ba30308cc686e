package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

// app is what every verb shares.
type app struct {
	config   config.Config
	envFile  string
	output   string
	dir      string // working directory of the caller; see embedded.StartStore
	out, err io.Writer
	terminal bool // standard error is a terminal
}

func newApp() *app {
	return &app{out: os.Stdout, err: os.Stderr, terminal: isatty.IsTerminal(os.Stderr.Fd())}
}

func (a *app) json() bool { return a.output == "json" }

// say tells people something on standard error, or nothing with -o json.
func (a *app) say(format string, args ...any) {
	if !a.json() {
		_, _ = fmt.Fprintf(a.err, format+"\n", args...)
	}
}

const rootHelp = `Retrain, evaluate and promote models through events.

A retrain request goes in as an event; four services turn it into a promoted
model that ModelService picks up. On one machine ` + "`churnctl up`" + ` runs all of it;
with KAFKA_BROKERS set, the same commands talk to your cluster.

Settings come from flags, then the environment, then the file .env; see
.env.example for their names.

Exit codes: 0 done or promoted, 1 error, 2 wrong command line, 3 rejected,
4 run failed, 5 waits for approval, 130 interrupted.`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "churnctl",
		Short:             "Retrain, evaluate and promote models through events",
		Long:              rootHelp,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.load(cmd) },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageErrorf("%w\nSee '%s --help'", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVarP(&a.output, "output", "o", "table", "table for people, json for machines")
	flags.StringVar(&a.envFile, "env-file", ".env", "file of settings")
	config.Flags(flags)
	root.AddCommand(
		quickstartCmd(a), upCmd(a), retrainCmd(a), runsCmd(a), showCmd(a), reportCmd(a), modelsCmd(a), stateCmd(a), historyCmd(a), whatifCmd(a),
		approvalsCmd(a), approveCmd(a), denyCmd(a), rollbackCmd(a), overrideCmd(a), cancelCmd(a),
		policiesCmd(a), gateCmd(a), eventsCmd(a), dlqCmd(a), stageCmd(a), predictCmd(a), topicsCmd(a), aclsCmd(a), bucketCmd(a), doctorCmd(a), versionCmd(a),
	)
	usageErrors(root)
	root.SuggestionsMinimumDistance = 2
	return root
}

// usageErrors makes wrong arguments end the program as wrong flags do.
func usageErrors(cmd *cobra.Command) {
	args := cmd.Args
	if args == nil {
		args = cobra.ArbitraryArgs
		if cmd.HasSubCommands() {
			args = unknownVerb
		}
	}
	cmd.Args = func(cmd *cobra.Command, given []string) error {
		if err := args(cmd, given); err != nil {
			return usageErrorf("%w\nSee '%s --help'", err, cmd.CommandPath())
		}
		return nil
	}
	for _, c := range cmd.Commands() {
		usageErrors(c)
	}
}

// unknownVerb refuses what is no verb of the command; a verb would have been
// called instead.
func unknownVerb(cmd *cobra.Command, given []string) error {
	if len(given) == 0 {
		return nil
	}
	hint := ""
	if close := cmd.SuggestionsFor(given[0]); len(close) > 0 {
		hint = ": did you mean " + strings.Join(close, " or ") + "?"
	}
	return fmt.Errorf("%s has no verb %q%s", cmd.CommandPath(), given[0], hint)
}

// load reads the settings. Paths become absolute while the working directory is
// still the caller's.
func (a *app) load(cmd *cobra.Command) (err error) {
	if a.output != "table" && a.output != "json" {
		return usageErrorf("--output %q: it is table or json", a.output)
	}
	if a.dir, err = os.Getwd(); err != nil {
		return err
	}
	if a.config, err = config.Load(cmd.Flags(), a.envFile); err != nil {
		return &exitErr{exitUsage, err}
	}
	a.config.StateDir = a.path(a.config.StateDir)
	if library, err := find(nearby(lightgbm.DefaultPath, a.config.LightGBM)); err == nil {
		a.config.LightGBM = library
	}
	return nil
}

// tracker names who gives the ids that runs are tracked under.
func (a *app) tracker() string {
	if a.config.TrackingURI != "" {
		return "MLflow"
	}
	return "tracking"
}

// path returns a path that the caller gave, as an absolute one.
func (a *app) path(p string) string {
	if p == "" || filepath.IsAbs(p) || isURI(p) {
		return p
	}
	return filepath.Join(a.dir, p)
}

// shown returns a path as the caller would write it.
func (a *app) shown(p string) string {
	if short, err := filepath.Rel(a.dir, p); err == nil && filepath.IsLocal(short) {
		return short
	}
	return p
}

// with makes a verb's RunE out of a function that needs the parts of the
// pipeline, opened as mode says and closed afterwards.
func (a *app) with(m mode, f func(*cobra.Command, []string, *parts) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		p, err := a.open(cmd.Context(), m)
		if err != nil {
			return err
		}
		defer func() {
			if closeErr := p.close(); err == nil {
				err = closeErr
			}
		}()
		return f(cmd, args, p)
	}
}
