package worker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

const secret = "a secret of the tests, which has more than 32 characters"

// together trains on so many machines with data that is the same each time.
func together(ctx context.Context, t testing.TB, pool *Pool, machines int, peers *Peers, iteration func(lightgbm.Iteration)) (*lightgbm.Result, error) {
	t.Helper()
	p := params(30)
	p.EarlyStoppingRound, p.BaggingFraction, p.BaggingFreq, p.FeatureFraction = 5, 0.8, 1, 0.9
	o := lightgbm.Options{Threads: 1, ScoreRows: 50, ContributionRows: 10, Progress: iteration}
	return pool.TrainTogether(ctx, machines, peers, p, o, makeTable(10_000, 3000).data())
}

// lender is another trainer that lends workers, in this process.
func lender(t testing.TB, cpus int) (*Pool, string) {
	t.Helper()
	pool := newPool(t, cpus)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- pool.Lend(ctx, l, secret, zap.NewNop()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return pool, l.Addr().String()
}

func peersAt(t testing.TB, addresses ...string) *Peers {
	t.Helper()
	p, err := NewPeers(addresses, secret)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// isFree waits until no worker of the pool trains, nor any CPU is taken.
func isFree(t testing.TB, pool *Pool) {
	t.Helper()
	if err := pool.free.Acquire(t.Context(), int64(pool.cpus)); err != nil {
		t.Fatal(err)
	}
	pool.free.Release(int64(pool.cpus))
	pool.mu.Lock()
	defer pool.mu.Unlock()
	if len(pool.workers) != len(pool.idle) {
		t.Errorf("%d workers, %d of them idle", len(pool.workers), len(pool.idle))
	}
}

func trees(t testing.TB, r *lightgbm.Result) string {
	t.Helper()
	sum, err := lightgbm.TreesSHA256(r.Model)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// Members come to what one machine does but for rounding of the bins, and to the
// same bytes each time, whoever they are and however many threads they have.
func TestTrainTogether(t *testing.T) {
	pool := newPool(t, 2)
	_, there := lender(t, 2)
	p := params(30)
	d := makeTable(10_000, 3000).data()
	one, err := pool.Train(t.Context(), p, lightgbm.Options{Threads: 1}, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, machines := range []int{2, 3} {
		r, err := pool.TrainTogether(t.Context(), machines, nil, p, lightgbm.Options{Threads: 1}, d)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := r.History[len(r.History)-1].AUC, one.History[len(one.History)-1].AUC; math.Abs(got-want) > 0.005 {
			t.Errorf("AUC %v on %d machines, %v on one", got, machines, want)
		}
	}
	want, err := together(t.Context(), t, pool, 2, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(want.Importances); n != len(features) || len(want.Scores) != 50 || len(want.Contributions) != 10*(n+1) {
		t.Errorf("%d importances, %d scores and %d contributions", n, len(want.Scores), len(want.Contributions))
	}
	for name, peers := range map[string]*Peers{"workers of one trainer": nil, "two trainers": peersAt(t, there)} {
		again, err := together(t.Context(), t, pool, 2, peers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Model, want.Model) || !slices.Equal(again.History, want.History) || !slices.Equal(again.Contributions, want.Contributions) {
			t.Errorf("another model with %s", name)
		}
	}
	isFree(t, pool)
}

// More threads, and more rows than one frame holds, in parts that are not alike.
func TestTogetherThreads(t *testing.T) {
	pool, d, p := newPool(t, 8), makeTable(40_000, 100).data(), params(5)
	var want string
	for _, threads := range []int{2, 4, 8} {
		r, err := pool.TrainTogether(t.Context(), 2, nil, p, lightgbm.Options{Threads: threads}, d)
		if err != nil {
			t.Fatal(err)
		}
		if sum := trees(t, r); want == "" {
			want = sum
		} else if sum != want {
			t.Errorf("other trees with %d threads", threads)
		}
	}
}

// A member that is lost is named, everyone else is free at once, and trying again
// gives the model that it would have been.
func TestLostMember(t *testing.T) {
	pool := newPool(t, 2)
	want, err := together(t.Context(), t, pool, 2, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for rank := range 2 {
		for signal, how := range map[syscall.Signal]string{
			syscall.SIGKILL: "signal: killed", syscall.SIGABRT: "SIGABRT", syscall.SIGSTOP: "nothing was heard of it",
		} {
			pool.patience = patience
			if signal == syscall.SIGSTOP {
				pool.patience = 5 * time.Second
			}
			_, err := together(t.Context(), t, pool, 2, nil, func(i lightgbm.Iteration) {
				if i.Number == 2 {
					if err := busy(t, pool)[rank].cmd.Process.Signal(signal); err != nil {
						t.Error(err)
					}
				}
			})
			// Which of the two has which rank is not known here.
			if !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), " of 2 (this machine) was lost") || !strings.Contains(err.Error(), how) {
				t.Errorf("after %v: %v, want %q", signal, err, how)
			}
			isFree(t, pool)
			again, err := together(t.Context(), t, pool, 2, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again.Model, want.Model) {
				t.Errorf("another model after %v", signal)
			}
		}
	}
}

// busy returns the workers that train, in the order of their process ids.
func busy(t testing.TB, pool *Pool) []*process {
	t.Helper()
	pool.mu.Lock()
	defer pool.mu.Unlock()
	var out []*process
	for w := range pool.workers {
		if !slices.Contains(pool.idle, w) {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b *process) int { return a.cmd.Process.Pid - b.cmd.Process.Pid })
	return out
}

// The members of a team listen nowhere and are connected to nothing: there is no
// port for a stranger to take.
func TestTogetherOpensNoPort(t *testing.T) {
	pool := newPool(t, 2)
	_, err := together(t.Context(), t, pool, 2, nil, func(lightgbm.Iteration) {
		for _, w := range busy(t, pool) {
			folder := fmt.Sprintf("/proc/%d/fd", w.cmd.Process.Pid)
			files, err := os.ReadDir(folder)
			if err != nil || len(files) < 4 {
				t.Fatalf("%d open files: %v", len(files), err)
			}
			for _, f := range files {
				if to, _ := os.Readlink(folder + "/" + f.Name()); strings.HasPrefix(to, "socket:") {
					t.Errorf("file %s of a member is %s", f.Name(), to)
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A worker that another trainer has lent is lost like any other, with a word of how
// it ended; a trainer that has ended cannot say.
func TestLostLender(t *testing.T) {
	pool := newPool(t, 1)
	other, there := lender(t, 1)
	_, err := together(t.Context(), t, pool, 2, peersAt(t, there), func(i lightgbm.Iteration) {
		if i.Number == 2 {
			busy(t, other)[0].kill()
		}
	})
	lost := fmt.Sprintf("member 2 of 2 (%s) was lost", there)
	if !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), lost) || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("the lent worker is killed: %v", err)
	}
	isFree(t, pool)
	isFree(t, other)

	cmd, there := hosted(t, "lend")
	peers := peersAt(t, there)
	_, err = together(t.Context(), t, pool, 2, peers, func(i lightgbm.Iteration) {
		if i.Number == 2 {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	lost = fmt.Sprintf("member 2 of 2 (%s) was lost", there)
	if !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), lost) || !strings.Contains(err.Error(), "connection") {
		t.Errorf("the trainer is killed: %v", err)
	}
	isFree(t, pool)
	pool.gathering = 0
	_, err = together(t.Context(), t, pool, 2, peers, nil)
	if !churn.IsKind(err, churn.Transient) || !strings.Contains(err.Error(), there) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the trainer is not there: %v", err)
	}
	isFree(t, pool)
}

// A trainer that hangs, as one that is stopped does, is given up, and the one that
// has been lent to a trainer that hangs takes its worker back.
func TestHangingTrainers(t *testing.T) {
	pool := newPool(t, 1)
	cmd, there := hosted(t, "lend")
	pool.patience = 5 * time.Second
	_, err := together(t.Context(), t, pool, 2, peersAt(t, there), func(i lightgbm.Iteration) {
		if i.Number == 2 {
			_ = cmd.Process.Signal(syscall.SIGSTOP)
		}
	})
	if !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), "nothing was heard of it") {
		t.Errorf("the lender hangs: %v", err)
	}
	isFree(t, pool)

	other, there := lender(t, 1)
	other.patience = time.Second
	link := lent(t, there, other.sha256)
	defer link.Close() // it says nothing more
	isFree(t, other)
}

// lent borrows a worker and returns the connection to it.
func lent(t testing.TB, address, sha256 string) *borrowed {
	t.Helper()
	b, err := peersAt(t, address).borrow(t.Context(), address, &Pool{id: "test", sha256: sha256}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Close lets the tests defer it.
func (b *borrowed) Close() error { b.kill(); return nil }

// Trainers with another LightGBM do not train together.
func TestOtherLibrary(t *testing.T) {
	other, there := lender(t, 1)
	_, err := peersAt(t, there).borrow(t.Context(), there, &Pool{id: "test", sha256: "another"}, 1)
	if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), "another LightGBM") {
		t.Errorf("%v, want a refusal", err)
	}
	isFree(t, other)
}

// A lender that ends, as at a new version, is lost by name.
func TestLenderEnds(t *testing.T) {
	pool, other := newPool(t, 1), newPool(t, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- other.Lend(ctx, l, secret, zap.NewNop()) }()
	_, err = together(t.Context(), t, pool, 2, peersAt(t, l.Addr().String()), func(lightgbm.Iteration) { cancel() })
	if !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), "member 2 of 2 ("+l.Addr().String()+") was lost") {
		t.Errorf("the lender ends: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	isFree(t, pool)
	isFree(t, other)
}

// A trainer whose leader is killed has its worker back.
func TestLostLeader(t *testing.T) {
	other, there := lender(t, 1)
	cmd, _ := hosted(t, "lead="+there)
	if len(busy(t, other)) != 1 {
		t.Errorf("%d workers are lent", len(busy(t, other)))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	isFree(t, other)
}

// hosted runs this program as another trainer until the test ends, and returns what
// it says first: where it lends, or once it leads a training.
func hosted(t testing.TB, as string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), host+"="+as)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

// be is what a hosted program does.
func be(as string) {
	ctx := context.Background()
	pool, err := New(ctx, libraryPath, Limits{CPUs: 1}, nil)
	if err == nil && as == "lend" {
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
			fmt.Println(l.Addr())
			err = pool.Lend(ctx, l, secret, zap.NewNop())
		}
	} else if err == nil {
		var peers *Peers
		if peers, err = NewPeers([]string{strings.TrimPrefix(as, "lead=")}, secret); err == nil {
			_, err = pool.TrainTogether(ctx, 2, peers, params(100_000), lightgbm.Options{Progress: func(i lightgbm.Iteration) {
				if i.Number == 3 {
					fmt.Println("it trains")
				}
			}}, makeTable(2000, 500).data())
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// Two trainings that would need one another's machine: neither waits for the other.
func TestBusyLender(t *testing.T) {
	here, hereAt := lender(t, 1)
	there, thereAt := lender(t, 1)
	peers := peersAt(t, thereAt, hereAt) // as a name that stands for both
	_, err := together(t.Context(), t, here, 2, peers, func(i lightgbm.Iteration) {
		if i.Number != 2 {
			return
		}
		for _, machines := range []int{2, 3} {
			if len(busy(t, there)) != 1 {
				t.Error("the other trainer has not lent its worker")
			}
			another := newPool(t, 1)
			another.gathering = 0
			_, err := together(t.Context(), t, another, machines, peers, nil)
			if !churn.IsKind(err, churn.Transient) || !strings.Contains(err.Error(), thereAt+": worker.Lend: it is training; ") {
				t.Errorf("a second training: %v, want a transient error", err)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
	isFree(t, here)
	isFree(t, there)
	if _, err = together(t.Context(), t, here, 2, peers, nil); err != nil {
		t.Errorf("the training after: %v", err)
	}
	here.gathering = 0
	_, err = together(t.Context(), t, here, 3, peers, nil)
	if !churn.IsKind(err, churn.Transient) || !strings.Contains(err.Error(), "3 machines are to train, and 1 of the trainers") ||
		!strings.Contains(err.Error(), hereAt+": worker.Lend: it is the trainer that asks") {
		t.Errorf("more machines than there are: %v", err)
	}
	isFree(t, here)
	isFree(t, there)
}

// Whoever else connects, before and in the middle of a training, is turned away:
// the training and the trainers go on.
func TestStrangers(t *testing.T) {
	pool := newPool(t, 1)
	other, there := lender(t, 1)
	_, err := together(t.Context(), t, pool, 2, peersAt(t, there), func(i lightgbm.Iteration) {
		if i.Number == 1 || i.Number == 5 {
			strangers(t, there)
		}
	})
	if err != nil {
		t.Error(err)
	}
	isFree(t, other)
	strangers(t, there)
	isFree(t, other)
	if _, err := together(t.Context(), t, pool, 2, peersAt(t, there), nil); err != nil {
		t.Error(err)
	}
}

func strangers(t testing.TB, address string) {
	t.Helper()
	for name, garbage := range map[string][]byte{
		"a bad rank of LightGBM's": {0xff, 0xff, 0xff, 0x7f}, "a rank of LightGBM's": {1, 0, 0, 0}, "nothing": nil,
		"a page": []byte("GET / HTTP/1.1\r\n\r\n"), "a large frame": append([]byte{byte(kindLease), 0xff, 0xff, 0xff, 0xff}, make([]byte, 1<<20)...),
	} {
		link, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, _ = link.Write(garbage)
		if tcp, ok := link.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, link) // until it is turned away
		_ = link.Close()
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("TLS 1.2 is let in")
	}
	link, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err == nil { // the server has not looked yet
		_, err = link.Read(make([]byte, 1))
		_ = link.Close()
	}
	if err == nil {
		t.Error("somebody without a certificate is let in")
	}
	wrong, err := NewPeers([]string{address}, secret+"!")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.borrow(t.Context(), address, &Pool{}, 1); err == nil || !strings.Contains(err.Error(), "another CHURN_TRAINER_SECRET") {
		t.Errorf("with another secret: %v", err)
	}
	// And with the right one, what is no training.
	right := peersAt(t, address)
	secure, err := tls.Dial("tcp", address, right.tls)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = secure.Write([]byte{byte(kindTrain), 0xff, 0xff, 0xff, 0xff})
	if _, err := secure.Read(make([]byte, 1)); err == nil {
		t.Error("a frame that is too large is answered")
	}
	_ = secure.Close()
}

func TestCancelTogether(t *testing.T) {
	pool := newPool(t, 1)
	other, there := lender(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := together(ctx, t, pool, 2, peersAt(t, there), func(lightgbm.Iteration) { cancel() })
	if !churn.IsKind(err, churn.Transient) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, want a transient error", err)
	}
	isFree(t, pool)
	isFree(t, other)
}

// Errors of the data are told as they are of one machine.
func TestTogetherErrors(t *testing.T) {
	pool := newPool(t, 2)
	o := lightgbm.Options{Threads: 1}
	bad := makeTable(1000, 100)
	bad.y[0][777] = 3
	one := makeTable(1000, 100)
	for i := range one.y[0] {
		one.y[0][i] = 1
	}
	wrong := params(5)
	wrong.NumLeaves = 1
	diverges := params(50)
	diverges.LearningRate = 10
	for _, c := range []struct {
		table    *table
		params   lightgbm.Params
		machines int
		want     string
	}{
		{bad, params(5), 2, "training row 777 has label 3"},
		{one, params(5), 2, "of one class"},
		{makeTable(1000, 100), wrong, 2, "num_leaves is 1"},
		{makeTable(9, 100), params(5), 16, "too few for 16 machines"},
		{makeTable(1000, 100), params(5), 17, "from 2 to 16"},
	} {
		_, err := pool.TrainTogether(t.Context(), c.machines, nil, c.params, o, c.table.data())
		if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want an invalid error with %q", err, c.want)
		}
		isFree(t, pool)
	}
	if _, err := together(t.Context(), t, pool, 2, nil, nil); err != nil {
		t.Errorf("the training after errors: %v", err)
	}
}

func TestSecrets(t *testing.T) {
	if _, err := NewPeers([]string{"a:1"}, "short"); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), "32") || strings.Contains(err.Error(), "short") {
		t.Errorf("a short secret: %v", err)
	}
	if _, err := NewPeers([]string{"a"}, secret); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), "CHURN_TRAINER_PEERS") {
		t.Errorf("an address without a port: %v", err)
	}
}

// Parts are like the whole: also where rows alternate.
func TestParts(t *testing.T) {
	for n := 2; n <= churn.MaxMachines; n++ {
		sizes, even := partSizes(10_000, n), make([]int, n)
		for row := 0; row < 10_000; row += 2 {
			even[partOf(row, n)]++
		}
		for i := range n {
			if share := 10_000 / n; math.Abs(float64(sizes[i]-share)) > 5*math.Sqrt(float64(share)) || math.Abs(float64(2*even[i]-share)) > 7*math.Sqrt(float64(share)) {
				t.Errorf("part %d of %d has %d rows, %d of them even", i, n, sizes[i], even[i])
			}
		}
	}
}

func TestBlocks(t *testing.T) {
	blocks := [][]byte{[]byte("one"), nil, []byte("three")}
	body := slices.Concat(append([][]byte{appendLengths(nil, blocks)}, blocks...)...)
	got, err := readBlocks(body, 3)
	if err != nil || !slices.EqualFunc(got, blocks, bytes.Equal) {
		t.Errorf("%q came back, or %v", got, err)
	}
	for n := range body {
		if _, err := readBlocks(body[:n], 3); err == nil {
			t.Errorf("%d of %d bytes were read as blocks", n, len(body))
		}
	}
	if _, err := readBlocks(append(body, 1), 3); err == nil {
		t.Error("more than the blocks were read as them")
	}
}
