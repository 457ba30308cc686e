package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/churn"
)

func upCmd(a *app) *cobra.Command {
	opts := stackOptions{}
	var only []string
	serve := true
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the local stack: broker, object store, services and ModelService",
		Long: `Run broker (the Kafka protocol), object store (the S3 API), the five services and
ModelService on loopback, until interrupted. All state is in the state folder and
survives a kill -9: runs that were under way go on at the next start.

This is for one machine. For more, run the service binaries against Kafka and an
object store; they are the same stages.`,
		Example: `  churnctl up
  churnctl up --port 8000
  churnctl up --only broker --broker-addr 127.0.0.1:9092`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opts.choose(only, serve); err != nil {
				return err
			}
			if err := a.reachRunning(opts); err != nil {
				return err
			}
			example, _ := find(nearby(exampleData, "")) // before the store changes the working directory
			s, err := startStack(cmd.Context(), a, opts)
			if err != nil {
				return err
			}
			err = a.shareExample(cmd.Context(), s, example)
			if err == nil {
				err = a.showStack(s)
			}
			if err != nil {
				return errors.Join(err, s.close())
			}
			s.wait(cmd.Context())
			a.say("stopping")
			return s.close()
		},
	}
	cmd.Flags().StringSliceVar(&only, "only", nil, "run only these parts: broker, store, services, modelservice")
	cmd.Flags().BoolVar(&serve, "serve", true, "run ModelService")
	cmd.Flags().StringVar(&opts.brokerAddr, "broker-addr", "", "loopback address of the broker (default: a free port, kept)")
	cmd.Flags().StringVar(&opts.storeAddr, "store-addr", "", "loopback address of the object store (default: a free port, kept)")
	cmd.Flags().IntVar(&opts.port, "port", 0, "port of ModelService (default: a free one)")
	return cmd
}

// choose turns the flags into the parts to run.
func (o *stackOptions) choose(only []string, serve bool) error {
	if len(only) == 0 {
		o.broker, o.store, o.services, o.modelService = true, true, true, serve
		return nil
	}
	for _, part := range only {
		switch part {
		case "broker":
			o.broker = true
		case "store":
			o.store = true
		case "services":
			o.services = true
		case "modelservice":
			o.modelService = true
		default:
			return usageErrorf("--only: there is no part %q; the parts are broker, store, services, modelservice", part)
		}
	}
	return nil
}

// exampleData is the data that the tutorials retrain on.
const exampleData = "data/telco_churn.csv"

// shareExample puts the example into the store under the URI that the tutorials
// name, unless an object is there.
func (a *app) shareExample(ctx context.Context, s *stack, path string) error {
	if path == "" || s.file.PID == 0 {
		return nil
	}
	p, err := connect(s.config)
	if err != nil {
		return err
	}
	defer p.close()
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = p.Store.Put(ctx, "datasets/telco_churn.csv", "text/csv", file)
	if churn.IsKind(err, churn.Conflict) {
		return nil
	}
	return err
}

// reachRunning completes the configuration where only some parts are to run:
// the others are those of the environment or of the running local stack.
func (a *app) reachRunning(o stackOptions) error {
	if o.broker || o.store || len(a.config.Brokers) > 0 {
		return nil
	}
	running, err := readStackFile(a.config.StateDir)
	if err != nil || !running.alive() {
		return usageErrorf("--only without broker and store: there is no local stack running in %s, and KAFKA_BROKERS is not set", a.shown(a.config.StateDir))
	}
	a.config, err = running.reach(a.config)
	return err
}

// showStack says where everything is.
func (a *app) showStack(s *stack) error {
	return a.print(s.file, func(w io.Writer) {
		_, _ = fmt.Fprintln(w, "The local stack is up. Ctrl-C stops it; its state stays in", a.shown(s.dir))
		pairs(w,
			"Kafka", s.file.Broker,
			"S3", s.file.Store,
			"bucket", s.file.Bucket,
			"credentials", a.shown(s.file.Credentials),
			"ModelService", s.file.ModelService,
			"API docs", docs(s.file.ModelService),
			"logs", a.shown(s.logFile()),
		)
		_, _ = fmt.Fprintln(w, "\nIn another terminal: churnctl retrain, churnctl runs, churnctl events --follow")
	})
}

func docs(url string) string {
	if url == "" {
		return ""
	}
	return strings.TrimSuffix(url, "/") + "/docs"
}
