package test

import (
	"maps"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/churn"
)

// search is a request for trials that take a while.
func search(id string, more ...string) []string {
	return append(request(id, "--search", "num_leaves=15..63", "--search", "learning_rate=0.02..0.2:log",
		"--num-iterations", "150", "--early-stopping-rounds", "0"), more...)
}

// Sixteen trials over four trainers, one of which is killed every two seconds: the
// winner, every digest and the stream of events are those of one undisturbed
// process.
func TestSearchWhileTrainersAreKilled(t *testing.T) {
	t.Parallel()
	alone := newStack(t)
	alone.patience = 6 * time.Minute
	var one, many runDetail
	alone.want(0, &one, search("same", "--trials", "16")...)

	cluster := clusterStack(t)
	cluster.env = append(cluster.env, "KAFKA_SESSION_TIMEOUT=6s") // the least that Kafka allows
	cluster.patience = 6 * time.Minute
	for _, service := range services {
		if service != string(churn.Trainer) {
			cluster.background(service)
		}
	}
	kills := cluster.trainersThatDie(4, 2*time.Second)
	cluster.want(0, &many, search("same", "--trials", "16")...)
	t.Logf("%d trainers were killed", kills())
	if !maps.Equal(one.digests(), many.digests()) {
		t.Errorf("digests differ:\n%v\n%v", one.digests(), many.digests())
	}
	if len(many.Trials) != 16 || !slices.Equal(one.Trials, many.Trials) {
		t.Errorf("trials are\n%v\nalone, and\n%v", one.Trials, many.Trials)
	}
	compareStreams(t, unique(alone.stream()), unique(cluster.stream()))
}

// trainersThatDie starts n trainers and every so often kills the next and starts
// another in its place, until the returned function is called, which says how many
// died.
func (s *aStack) trainersThatDie(n int, every time.Duration) func() int {
	trainers := make([]*exec.Cmd, n)
	for i := range trainers {
		trainers[i] = s.background("trainer")
	}
	stop, kills := make(chan struct{}), 0
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(every):
			}
			at := kills % n
			_ = trainers[at].Process.Kill()
			_ = trainers[at].Wait()
			trainers[at] = s.background("trainer")
			kills++
		}
	})
	return sync.OnceValue(func() int {
		close(stop)
		running.Wait()
		return kills
	})
}

// A search by successive halving ends the same whenever it is asked for, and is
// shown trial by trial.
func TestHalving(t *testing.T) {
	t.Parallel()
	var first, second runDetail
	for _, d := range []*runDetail{&first, &second} {
		newStack(t).want(0, d, request("same", "--search", "num_leaves=7..63", "--search", "lambda_l2=0..10", "--trials", "8",
			"--strategy", "sobol", "--halving", "2", "--folds", "2", "--num-iterations", "64")...)
	}
	if !maps.Equal(first.digests(), second.digests()) {
		t.Error("digests differ")
	}
	winners, rungs := 0, map[int32]int{}
	for _, trial := range first.Trials {
		rungs[trial.Rung]++
		if trial.Winner {
			winners++
		}
		if trial.AUC < 0.7 || trial.Settings.Leaves == "" {
			t.Errorf("trial %+v", trial)
		}
	}
	if winners != 1 || !maps.Equal(rungs, map[int32]int{0: 4, 1: 2, 2: 1, 3: 1}) {
		t.Errorf("%d winners, trials by their last rung: %v", winners, rungs)
	}
}
