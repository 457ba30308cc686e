package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/doctor"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

func doctorCmd(a *app) *cobra.Command {
	var as string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that the pipeline depends on, and say what to do about it",
		Long: `Check broker, topics, permissions, object store, registry, LightGBM, clocks, disk
and settings, all at once and within ten seconds, and say what to do about what
is wrong.

Without KAFKA_BROKERS it checks the local stack: the running one, or one that it
starts for the purpose. With --as it checks whether the credentials of the
settings allow what a service does; otherwise, what churnctl does itself.

Nothing is changed, but for one small object in the store that tells whether
conditional writes are honoured: ` + "`doctor/conditional-write`" + `.

Exit codes: 0 all is well or there are only warnings, 1 a check has failed.`,
		Example: `  churnctl doctor
  churnctl --env-file trainer.env doctor --as trainer -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), churn.Service(as)) },
	}
	cmd.Flags().StringVar(&as, "as", string(churn.Client), "whose permissions to check: "+strings.Join(patients(), ", "))
	return cmd
}

// patients are those whose permissions can be checked.
func patients() []string {
	var all []string
	for _, s := range churn.Users() {
		all = append(all, string(s))
	}
	return all
}

func (a *app) doctor(ctx context.Context, as churn.Service) (err error) {
	if !slices.Contains(patients(), string(as)) {
		return usageErrorf("--as %q: it is one of %s", as, strings.Join(patients(), ", "))
	}
	local := []doctor.Check{a.library(), doctor.Disk(a.config.StateDir, os.TempDir()), doctor.Settings(a.config, a.path(a.envFile))}
	p, done, err := a.examined(ctx)
	defer func() { err = errors.Join(err, done()) }()
	if err != nil {
		// The settings name no parts that could be asked.
		return a.diagnose(ctx, append([]doctor.Check{{
			Name: "parts", Try: func(context.Context) doctor.Finding {
				return doctor.Finding{Status: doctor.Fail, Found: err.Error()}
			},
		}}, local...))
	}
	c := p.Config
	return a.diagnose(ctx, append([]doctor.Check{
		doctor.Broker(c, p.bus), doctor.Topics(c, p.bus, as), doctor.Permissions(c, p.bus, as),
		doctor.Store(c, p.Store), doctor.ConditionalWrites(p.Store), doctor.Registry(c, p.Registry), doctor.Clock(p.Store),
	}, local...))
}

// examined returns the parts to look at: as they are, if the settings name a
// cluster. A local stack that was never there is one in a folder that done
// removes.
func (a *app) examined(ctx context.Context) (p *parts, done func() error, err error) {
	done = func() error { return nil }
	if len(a.config.Brokers) > 0 {
		if p, err = connect(a.config); err != nil {
			return nil, done, err
		}
		return p, p.close, nil
	}
	if _, err := os.Stat(a.config.StateDir); errors.Is(err, os.ErrNotExist) {
		dir, err := os.MkdirTemp("", "churn-doctor-")
		if err != nil {
			return nil, done, err
		}
		a.config.StateDir = dir
		done = func() error { return os.RemoveAll(dir) }
	}
	if p, err = a.open(ctx, storeOnly); err != nil {
		return nil, done, err
	}
	remove := done
	return p, func() error { return errors.Join(p.close(), remove()) }, nil
}

// diagnose makes the checks and shows what they say.
func (a *app) diagnose(ctx context.Context, checks []doctor.Check) error {
	findings := doctor.Run(ctx, checks...)
	if err := a.print(findings, func(w io.Writer) { doctor.Print(w, findings) }); err != nil {
		return err
	}
	if failed := doctor.Failed(findings); len(failed) > 0 {
		return &exitErr{exitError, errors.New("not well: " + strings.Join(failed, ", "))}
	}
	return nil
}

// library checks whether LightGBM is there, is the pinned one, and loads.
func (a *app) library() doctor.Check {
	path, err := find(nearby(lightgbm.DefaultPath, a.config.LightGBM)) // before the store changes the working directory
	return doctor.Check{Name: "LightGBM", Try: func(context.Context) doctor.Finding {
		if err == nil {
			_, err = lightgbm.Load(path)
		}
		if err != nil {
			return doctor.Finding{Status: doctor.Fail, Found: err.Error(), Advice: "`make lightgbm` fetches it, and CHURN_LIGHTGBM names it"}
		}
		return doctor.Finding{Status: doctor.OK, Found: lightgbm.Version + ", pinned, at " + a.shown(path)}
	}}
}
