package test

import (
	"bytes"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/churn"
)

// onMachines is a request for a training by two machines that takes a while.
func onMachines(id string) []string {
	return append(request(id), "--machines", "2", "--num-iterations", "800", "--early-stopping-rounds", "0", "--learning-rate", "0.01", "--num-leaves", "15")
}

// One model by two trainers, one of which is killed every two seconds for a while,
// and with strangers at both doors: every digest and the stream of events are those
// of one undisturbed process with two workers.
func TestTwoTrainersTrainOneModel(t *testing.T) {
	t.Parallel()
	alone := newStack(t)
	alone.patience = 6 * time.Minute
	var one, two runDetail
	alone.want(0, &one, onMachines("same")...)

	cluster := clusterStack(t)
	cluster.patience = 6 * time.Minute
	doors := []string{freeAddr(t), freeAddr(t)}
	cluster.env = append(cluster.env, "KAFKA_SESSION_TIMEOUT=6s", // the least that Kafka allows
		"CHURN_TRAINER_PEERS="+strings.Join(doors, ","), "CHURN_TRAINER_SECRET="+strings.Repeat("secret", 8))
	for _, service := range services {
		if service != string(churn.Trainer) {
			cluster.background(service)
		}
	}
	trainers := make([]*exec.Cmd, len(doors))
	for i, door := range doors {
		trainers[i] = cluster.background("trainer", "--trainer-listen", door)
	}
	stop := make(chan struct{})
	var disturbing sync.WaitGroup
	disturbing.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Second):
			}
			for _, door := range doors {
				stranger(door)
			}
			if n < 4 {
				i := n % len(trainers)
				_ = trainers[i].Process.Kill()
				_ = trainers[i].Wait()
				trainers[i] = cluster.background("trainer", "--trainer-listen", doors[i])
			}
		}
	})
	cluster.want(0, &two, onMachines("same")...)
	close(stop)
	disturbing.Wait()
	if two.Status != "promoted" || !maps.Equal(one.digests(), two.digests()) {
		t.Errorf("status %s, digests\n%v\n%v", two.Status, one.digests(), two.digests())
	}
	compareStreams(t, unique(alone.stream()), unique(cluster.stream()))
	lent := false
	for _, trainer := range trainers {
		lent = lent || bytes.Contains(logOf(t, trainer), []byte("a worker is lent"))
	}
	if !lent {
		t.Error("neither trainer has lent a worker to the other")
	}
}

// logOf is what a program that runs in the background has written.
func logOf(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	text, err := os.ReadFile(cmd.Stdout.(*os.File).Name())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// stranger says what a member says to LightGBM's own sockets, and waits for an
// answer.
func stranger(door string) {
	link, err := net.Dial("tcp", door)
	if err != nil {
		return // the trainer has just been killed
	}
	defer link.Close()
	_, _ = link.Write([]byte{1, 0, 0, 0})
	_ = link.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = io.Copy(io.Discard, link)
}
