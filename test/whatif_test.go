package test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// retrainings are candidates that are better and worse than each other; the last are
// of another hold-out.
var retrainings = [][]string{
	{"--seed", "1"},
	{"--seed", "2", "--num-leaves", "8"},
	{"--seed", "3", "--num-iterations", "2"},
	{"--seed", "4", "--num-leaves", "4"},
	{"--seed", "5", "--num-leaves", "16"},
	{"--seed", "6", "--num-leaves", "31", "--split-salt", "another"},
	{"--seed", "7", "--num-leaves", "4", "--split-salt", "another"},
}

// strictPolicy promotes few: it looks at what a comparison tells exactly, and at what
// takes a bootstrap.
const strictPolicy = `version: 1
name: strict
rules:
  - name: shown_to_be_better
    when: champion.exists
    holds: p_above(comparison.auc, 0) <= gate.alpha
  - name: log_loss_no_worse
    when: champion.exists
    holds: p_below(comparison.log_loss, 0.02) <= 0.5
  - name: some_use
    holds: candidate.auc > 0.5
`

// ruleSaid is a verdict with every value that it rests on.
type ruleSaid struct {
	Name   string  `json:"name"`
	Passed bool    `json:"passed"`
	Value  float64 `json:"value"`
	Values []struct{ Name, Value string }
}

type whatifPath struct {
	Decisions []struct {
		Run     string     `json:"run"`
		Was     string     `json:"was"`
		WouldBe string     `json:"would_be"`
		Basis   string     `json:"basis"`
		Rules   []ruleSaid `json:"rules"`
	} `json:"decisions"`
	Champions []struct {
		Run string `json:"run"`
	} `json:"champions_would_be"`
	Read int `json:"artifacts_read"`
}

// What-if under the policy that the runs had is what was decided, without a look at
// the store; under another it is what a pipeline that has had that one decides, to the
// last digit of what its rules look at.
func TestWhatIf(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "strict.yaml")
	if err := os.WriteFile(file, []byte(strictPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	policies := [][]string{{"--policy", "refresh", "--margin", "0.05", "--min-accuracy", "0.5"}, {"--policy", file}}
	var decided [2]map[string]string
	var said [2]map[string][]ruleSaid
	var stacks [2]*aStack
	for i, policy := range policies {
		stacks[i] = newStack(t)
		decided[i], said[i] = retrainAll(stacks[i], policy)
	}
	if maps.Equal(decided[0], decided[1]) {
		t.Fatalf("the policies decide alike: %v", decided[0])
	}
	for i, flags := range policies {
		for j, s := range stacks {
			var paths []whatifPath
			s.want(0, &paths, append([]string{"whatif"}, flags...)...)
			got, bases := map[string]string{}, map[string]int{}
			for _, d := range paths[0].Decisions {
				got[d.Run] = d.WouldBe
				bases[d.Basis]++
				if d.Was != decided[j][d.Run] {
					t.Errorf("run %s was %s, it is said, and it was %s", d.Run, d.Was, decided[j][d.Run])
				}
				if !reflect.DeepEqual(d.Rules, said[i][d.Run]) {
					t.Errorf("run %s of policy %d under %d: the rules say\n%v, want\n%v", d.Run, j, i, d.Rules, said[i][d.Run])
				}
			}
			if !maps.Equal(got, decided[i]) {
				t.Errorf("decisions of policy %d under %d: %v, want %v", j, i, got, decided[i])
			}
			if same := i == j; same != (paths[0].Read == 0) {
				t.Errorf("decisions of policy %d under %d: %d artifacts were read, by %v", j, i, paths[0].Read, bases)
			}
			if i == 1 && j == 0 && (bases["scores"] == 0 || bases["model"] == 0) {
				t.Errorf("verdicts by %v: none by stored scores, or none by scoring", bases)
			}
		}
	}
	stacks[0].want(2, nil, "whatif", "--policy", "strict-as-can-be")
}

// retrainAll has every candidate decided on by the policy, and returns what became of
// the runs and what the rules said.
func retrainAll(s *aStack, policy []string) (map[string]string, map[string][]ruleSaid) {
	s.up("--serve=false")
	decided, said := map[string]string{}, map[string][]ruleSaid{}
	for _, settings := range retrainings {
		args := append(request("seed-"+settings[1], "--num-iterations", "60", "--early-stopping-rounds", "10"), policy...)
		r := s.run(append(append(args, settings...), "-o", "json")...)
		if r.code != 0 && r.code != 3 {
			s.t.Fatalf("exit code %d: %s", r.code, r.stderr)
		}
		var d struct {
			Run, Status string
			Rules       []ruleSaid
		}
		if err := json.Unmarshal([]byte(r.stdout), &d); err != nil {
			s.t.Fatal(err)
		}
		decided[d.Run], said[d.Run] = d.Status, d.Rules
	}
	return decided, said
}

// The log says what was in production at any time.
func TestStateAndHistory(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.want(0, nil, request("first", "--num-iterations", "60")...)
	var reigns []struct {
		Version         int64   `json:"version"`
		Since           string  `json:"since"`
		Until           *string `json:"until"`
		Cause, By       string
		PreviousVersion int64 `json:"previous_version"`
	}
	s.want(0, &reigns, "history", "churn-classifier")
	if len(reigns) != 1 || reigns[0].Until != nil || reigns[0].Cause != "retrain" || reigns[0].By != "test" {
		t.Fatalf("history: %+v", reigns)
	}
	before := reigns[0].Since
	s.want(0, nil, request("second", "--num-iterations", "60", "--num-leaves", "8", "--margin", "0.1")...)
	s.want(0, &reigns, "history", "churn-classifier")
	if len(reigns) != 2 || reigns[0].Until == nil || *reigns[0].Until != reigns[1].Since || reigns[1].PreviousVersion != 1 {
		t.Fatalf("history: %+v", reigns)
	}
	for at, want := range map[string]int64{before: 1, reigns[1].Since: 2} {
		var state struct {
			Runs      map[string]int
			Champions []struct{ Version int64 }
		}
		s.want(0, &state, "state", "--at", at)
		if len(state.Champions) != 1 || state.Champions[0].Version != want || state.Runs["promoted"] != int(want) {
			t.Errorf("at %s: %+v, want version %d", at, state, want)
		}
	}
	s.want(2, nil, "history", "nobody")
}
