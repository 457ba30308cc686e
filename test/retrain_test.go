package test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
)

// scenarios are what a user of any stack may rely on.
var scenarios = map[string]func(*testing.T, *aStack){
	"promoted-then-compared": promotedThenCompared,
	"same-request-twice":     sameRequestTwice,
	"request-id-reused":      requestIDReused,
	"no-signal":              noSignalIsRejected,
	"dry-run":                dryRunChangesNothing,
	"stages-by-hand":         stagesByHand,
	"bad-file":               badFileFailsTheRun,
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			stack := kind.begin(t)
			for name, holds := range scenarios {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					holds(t, stack(t, name))
				})
			}
		})
	}
}

func promotedThenCompared(t *testing.T, s *aStack) {
	var first, second runDetail
	s.want(0, &first, request("first")...)
	if first.Status != "promoted" || first.Version != 1 || first.Champion != 0 {
		t.Fatalf("first run: %+v", first)
	}
	atLeast(t, "AUC", first.AUC, 0.82)
	atLeast(t, "accuracy", first.Accuracy, 0.78)

	s.want(0, &second, request("second", "--num-leaves", "31")...)
	if second.Version != 2 && second.Status != "rejected" || second.Champion != 1 {
		t.Errorf("second run: status %s, version %d, champion %d", second.Status, second.Version, second.Champion)
	}
}

func sameRequestTwice(t *testing.T, s *aStack) {
	var first, again runDetail
	s.want(0, &first, request("same")...)
	s.want(0, &again, "retrain", "--data", telco(), "--request-id", "same", "--git-sha", "abc", "--requested-by", "test") // at another time
	if first.Run != again.Run || again.Version != 1 || !maps.Equal(first.digests(), again.digests()) {
		t.Errorf("run %s version %d, again run %s version %d", first.Run, first.Version, again.Run, again.Version)
	}
	var runs, models []struct{}
	s.want(0, &runs, "runs")
	s.want(0, &models, "models")
	if len(runs) != 1 || len(models) != 1 {
		t.Errorf("%d runs and %d versions, want 1 of each", len(runs), len(models))
	}
}

func requestIDReused(t *testing.T, s *aStack) {
	s.want(0, nil, request("same")...)
	r := s.want(4, nil, request("same", "--num-leaves", "7")...)
	if !strings.Contains(r.stdout, "reused") {
		t.Errorf("the reason is not said:\n%s", r.stdout)
	}
	var runs []runDetail
	s.want(0, &runs, "runs")
	if len(runs) != 1 || runs[0].Status != "promoted" {
		t.Errorf("runs: %+v", runs)
	}
}

func TestTwoCleanStatesGiveEqualArtifactsAndEvents(t *testing.T) {
	t.Parallel()
	var digests [2]map[string]string
	var streams [2]map[string][]string
	for i := range 2 {
		s := newStack(t)
		var d runDetail
		s.want(0, &d, request("same")...)
		digests[i] = d.digests()
		streams[i] = s.stream()
	}
	if len(digests[0]) < 15 || !maps.Equal(digests[0], digests[1]) {
		t.Errorf("artifacts differ:\n%v\n%v", digests[0], digests[1])
	}
	compareStreams(t, streams[0], streams[1])
}

func noSignalIsRejected(t *testing.T, s *aStack) {
	s.want(0, nil, request("champion")...)
	var d runDetail
	s.want(3, &d, "retrain", "--data", noSignal(t), "--request-id", "noise")
	if d.Status != "rejected" || d.Reason == "" {
		t.Errorf("status %s, reason %q", d.Status, d.Reason)
	}
	var models []struct {
		Version int64  `json:"version"`
		Stage   string `json:"stage"`
	}
	s.want(0, &models, "models")
	if len(models) != 1 || models[0].Stage != "Production" {
		t.Errorf("models: %+v", models)
	}
}

func dryRunChangesNothing(t *testing.T, s *aStack) {
	var d runDetail
	s.want(0, &d, request("dry", "--dry-run")...)
	if d.Status != "rejected" || !d.DryRun {
		t.Errorf("status %s, dry run %v", d.Status, d.DryRun)
	}
	var models []struct{}
	s.want(0, &models, "models")
	if len(models) != 0 {
		t.Errorf("%d versions registered", len(models))
	}
}

func stagesByHand(t *testing.T, s *aStack) {
	var service, features, trained, evaluated, decided runDetail
	s.want(0, &features, "stage", "featurize", "--data", telco(), "--test-split", "0.25")
	s.want(0, &trained, "stage", "train", "--run", features.Run, "--num-leaves", "31")
	if trained.Run == features.Run {
		t.Errorf("other settings went on under the same run")
	}
	s.want(0, &evaluated, "stage", "evaluate", "--run", trained.Run)
	s.want(3, &decided, "stage", "gate", "--run", trained.Run, "--min-auc", "0.999")
	if decided.Status != "rejected" {
		t.Errorf("status %s", decided.Status)
	}
	s.want(0, &decided, "stage", "gate", "--run", trained.Run)
	if decided.Status != "promoted" || decided.Version != 1 {
		t.Errorf("status %s, version %d", decided.Status, decided.Version)
	}

	// By hand and through the services, the same settings give the same model.
	s.want(0, &service, request("service", "--register-name", "other", "--test-split", "0.25", "--num-leaves", "31")...)
	if service.digests()["trainer/model.txt"] != trained.digests()["trainer/model.txt"] {
		t.Errorf("the model by hand differs from the services'")
	}
}

func badFileFailsTheRun(t *testing.T, s *aStack) {
	header, rows := telcoLines(t)
	rows[1] = rows[1][:strings.LastIndex(rows[1], ",")] + ",Maybe"
	file := writeCSV(t, strings.Join(append([]string{header}, rows...), "\n"))
	var d runDetail
	s.want(4, &d, "retrain", "--data", file)
	if d.Status != "failed" || !strings.Contains(d.Reason, "line 3") {
		t.Errorf("status %s, reason %q", d.Status, d.Reason)
	}
	if letters := s.want(0, nil, "events", "dlq.featurizer", "-o", "json").stdout; strings.Count(letters, "\n") != 1 {
		t.Errorf("dead letters: %s", letters)
	}
	s.want(0, nil, request("next")...)
}

// noSignal returns the Telco file with its labels shuffled.
func noSignal(t *testing.T) string {
	header, rows := telcoLines(t)
	labels := make([]string, len(rows))
	for i, row := range rows {
		cut := strings.LastIndex(row, ",")
		rows[i], labels[i] = row[:cut], row[cut+1:]
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
	var b strings.Builder
	fmt.Fprintln(&b, header)
	for i := range rows {
		fmt.Fprintf(&b, "%s,%s\n", rows[i], labels[i])
	}
	return writeCSV(t, b.String())
}
