package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

func TestWrongCommandLinesEndWithTheirOwnCode(t *testing.T) {
	t.Setenv("KAFKA_BROKERS", "")
	for _, test := range []struct{ args, say string }{
		{"retrian", "did you mean retrain"},
		{"retrain extra", "extra"},
		{"retrain --num-leafs 3", "num-leafs"},
		{"retrain --num-leaves many", "many"},
		{"runs -o yaml", "yaml"},
		{"show", "arg"},
		{"report", "arg"},
		{"approve 3f2a", "--reason"},
		{"approve --reason fine", "arg"},
		{"deny 3f2a --reason bad --by=", "--by"},
		{"rollback m", "--reason"},
		{"override 3f2a", "--reason"},
		{"dlq", ""}, // help
		{"dlq list trainr", "featurizer, trainer"},
		{"dlq show trainer", "SERVICE/PARTITION/OFFSET"},
		{"dlq redrive", "--run, --group"},
		{"dlq redrive trainer", "--all"},
		{"dlq redrive trainer/0/1 --all", "one service"},
		{"dlq redrive --run 3f2a --by=", "--by"},
		{"dlq drop trainer/0/1", "--reason"},
		{"stage", ""}, // help
		{"stage train", "--run"},
		{"stage traim", "traim"},
		{"up --only kafka", "kafka"},
		{"runs --state-dir nowhere", "nowhere"},
		{"runs --env-file nowhere", "nowhere"},
		{"predict --state-dir nowhere", "churnctl up"},
		{"runs --concurrency 0", "concurrency"},
		{"topics plam", "plam"},
		{"topics plan --partitions nowhere=3", "churn.nowhere"},
		{"topics plan --partitions features-ready=0", "features-ready=0"},
		{"topics plan --partitions retry.gate=2", "order"},
		{"topics plan --min-insync -1", "--min-insync"},
		{"topics plan --min-insync 3 --kafka-replication-factor 2", "KAFKA_REPLICATION_FACTOR"},
		{"acls --principal trainer", "User:churn-{service}"},
		{"acls plan", "KAFKA_BROKERS"},
		{"bucket", ""}, // help
		{"bucket plan", "MLFLOW_S3_ENDPOINT_URL"},
		{"bucket policy nobody", "modelservice"},
	} {
		t.Run(test.args, func(t *testing.T) {
			a := newApp()
			var out strings.Builder
			a.out, a.err = &out, &out
			root := a.root()
			root.SetArgs(append(strings.Fields(test.args), "--log-level", "error"))
			root.SetOut(&out)
			err := root.ExecuteContext(t.Context())
			want := exitUsage
			if test.say == "" {
				want = exitOK
			}
			if got := exitCode(err); got != want || err != nil && !strings.Contains(err.Error(), test.say) {
				t.Errorf("exit code %d, error %v; want %d and %q in it", got, err, want, test.say)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	for _, test := range []struct {
		status fold.Status
		dryRun bool
		want   int
	}{
		{fold.Promoted, false, exitOK},
		{fold.Rejected, true, exitOK},
		{fold.Rejected, false, exitRejected},
		{fold.Pending, false, exitPending},
		{fold.Failed, false, exitFailed},
	} {
		if got := exitCode(outcome(test.status, test.dryRun)); got != test.want {
			t.Errorf("%s, dry run %v: exit code %d, want %d", test.status, test.dryRun, got, test.want)
		}
	}
}

// Only what was given is in a request: the rest is the spec's to say.
func TestARequestHoldsWhatWasGiven(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data.csv")
	if err := os.WriteFile(file, []byte("a,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var flags requestFlags
	cmd := &cobra.Command{}
	flags.add(cmd)
	if err := cmd.ParseFlags([]string{"--data", file, "--num-leaves", "31", "--dry-run", "--request-id", "id", "--request-time", "2026-01-31T12:00:00Z", "--requested-by", ""}); err != nil {
		t.Fatal(err)
	}
	flags.gitSHA = ""
	store := memory.New("churn")
	e, err := flags.event(t.Context(), newApp(), store)
	if err != nil {
		t.Fatal(err)
	}
	want := &eventv1.RetrainRequested{
		Dataset: e.Data.(*eventv1.RetrainRequested).GetDataset(),
		Split:   &eventv1.SplitOverrides{}, Training: &eventv1.TrainingOverrides{NumLeaves: proto.Int32(31)},
		Gate: &eventv1.GateOverrides{DryRun: proto.Bool(true)},
	}
	if !proto.Equal(e.Data, want) {
		t.Errorf("request is %v, want %v", e.Data, want)
	}
	if _, err := store.Stat(t.Context(), churn.DatasetKey(want.GetDataset().GetSha256())); err != nil {
		t.Errorf("the data is not in the store: %v", err)
	}
	if e.ID != "id" || e.Run() != churn.RunID("id") || e.Time.Format("2006-01-02") != "2026-01-31" {
		t.Errorf("event %+v", e)
	}
}

func TestAForkIsARunOfItsOwnThatFollowsFromItsSettings(t *testing.T) {
	ready := event.Event{ID: "one", Correlation: "run", Topic: churn.FeaturesReady, Data: &eventv1.FeaturesReady{
		Plan: &eventv1.Plan{Training: &eventv1.Training{NumLeaves: 64}, Gate: &eventv1.Gate{MinAuc: 0.82}},
	}}
	with := func(args ...string) *overrideFlags {
		o := &overrideFlags{}
		cmd := &cobra.Command{}
		o.addTraining(cmd.Flags())
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		return o
	}
	same, err := fork(ready, with("--num-leaves", "64"))
	if err != nil || same.Run() != "run" {
		t.Errorf("the same settings made run %s (%v)", same.Run(), err)
	}
	a, errA := fork(ready, with("--num-leaves", "7"))
	b, errB := fork(ready, with("--num-leaves", "7"))
	c, errC := fork(ready, with("--num-leaves", "8"))
	if err := errors.Join(errA, errB, errC); err != nil {
		t.Fatal(err)
	}
	if a.Run() != b.Run() || a.Run() == c.Run() || a.Run() == "run" {
		t.Errorf("runs %s, %s and %s", a.Run(), b.Run(), c.Run())
	}
	if leaves := a.Data.(*eventv1.FeaturesReady).GetPlan().GetTraining().GetNumLeaves(); leaves != 7 {
		t.Errorf("%d leaves", leaves)
	}
	if ready.Data.(*eventv1.FeaturesReady).GetPlan().GetTraining().GetNumLeaves() != 64 {
		t.Error("the fork changed what it was made from")
	}
}

func TestTheFileOfAKilledStackCountsForNothing(t *testing.T) {
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := (stackFile{PID: dead.Process.Pid, Broker: "127.0.0.1:1", Store: "http://127.0.0.1:1"}).write(dir); err != nil {
		t.Fatal(err)
	}
	f, err := readStackFile(dir)
	if err != nil || f.alive() {
		t.Errorf("%+v, %v: it seems to be running", f, err)
	}
}

func TestRowOfACSV(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data.csv")
	if err := os.WriteFile(file, []byte("\ufeffid,name\n1,\"a,b\"\n2,c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	row, err := csvRow(file, 1)
	if err != nil || len(row) != 2 || row[0] != (field{"id", "1"}) || row[1] != (field{"name", "a,b"}) {
		t.Errorf("row %v, %v", row, err)
	}
	if _, err := csvRow(file, 3); exitCode(err) != exitUsage || !strings.Contains(err.Error(), "2 rows") {
		t.Errorf("row 3 of 2: %v", err)
	}
}

func TestJSONIsForMachinesAlone(t *testing.T) {
	a := newApp()
	var out, errs strings.Builder
	a.out, a.err, a.output = &out, &errs, "json"
	a.say("for people")
	newView(a, event.Event{ID: "x"}).event(event.Event{Type: "y"})
	root := a.root()
	root.SetArgs([]string{"topics", "-o", "json"})
	if err := root.ExecuteContext(context.Background()); err != nil {
		t.Fatal(err)
	}
	var topics []topicRow
	if err := json.Unmarshal([]byte(out.String()), &topics); err != nil || len(topics) != len(stage.Topics("")) || errs.Len() > 0 {
		t.Errorf("%d topics, %v, beside them %q", len(topics), err, errs.String())
	}
}
