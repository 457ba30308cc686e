package worker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	"github.com/asfotec/churn/pkg/soak"
)

// host makes the test program one that trains without end, for tests of what
// happens to a worker whose parent is killed.
const host = "WORKER_TEST_HOST"

func TestMain(m *testing.M) {
	Main()
	switch as := os.Getenv(host); as {
	case "":
	case "1":
		trainForEver()
	default:
		be(as)
	}
	os.Exit(m.Run())
}

var libraryPath = filepath.Join("../../..", lightgbm.DefaultPath)

func newPool(t testing.TB, cpus int) *Pool {
	t.Helper()
	return limited(t, Limits{CPUs: cpus})
}

func limited(t testing.TB, limits Limits) *Pool {
	t.Helper()
	p, err := New(t.Context(), libraryPath, limits, nil)
	if err != nil {
		t.Fatalf("%v\ninstall it with: make lightgbm", err)
	}
	t.Cleanup(p.Close)
	return p
}

var features = []string{"a", "b", "noise"}

// table is rows of a logistic truth.
type table struct {
	x [2][]float64
	y [2][]float32
}

func makeTable(train, validation int) *table {
	r := rand.New(rand.NewPCG(1, 2))
	var t table
	for set, n := range []int{train, validation} {
		for range n {
			a, b := r.NormFloat64(), r.NormFloat64()
			t.x[set] = append(t.x[set], a, b, r.NormFloat64())
			y := float32(0)
			if r.Float64() < 1/(1+math.Exp(-2*(a-b*b))) {
				y = 1
			}
			t.y[set] = append(t.y[set], y)
		}
	}
	return &t
}

func (t *table) data() lightgbm.Data {
	return lightgbm.Data{
		Features: features, Rows: [2]int{len(t.y[0]), len(t.y[1])},
		Chunks: func() iter.Seq2[lightgbm.Chunk, error] {
			return func(yield func(lightgbm.Chunk, error) bool) {
				for set := range 2 {
					if !yield(lightgbm.Chunk{Set: lightgbm.Set(set), X: t.x[set], Y: t.y[set]}, nil) {
						return
					}
				}
			}
		},
	}
}

func params(iterations int32) lightgbm.Params {
	return lightgbm.Params{
		NumLeaves: 15, LearningRate: 0.1, NumIterations: iterations, MinDataInLeaf: 5,
		FeatureFraction: 1, BaggingFraction: 1, MaxBin: 255, Seed: 42,
	}
}

// What a worker gives is what the library gives in this process.
func TestTrain(t *testing.T) {
	library, err := lightgbm.Load(libraryPath)
	if err != nil {
		t.Fatalf("%v\ninstall it with: make lightgbm", err)
	}
	pool := newPool(t, 2)
	if pool.LibrarySHA256() != library.SHA256() {
		t.Errorf("library %s, want %s", pool.LibrarySHA256(), library.SHA256())
	}
	// More than one frame of rows, and more than one of model.
	data, p := makeTable(40_000, 12_000).data(), params(20)
	p.NumLeaves = 255
	o := lightgbm.Options{Threads: 1, ScoreRows: 5000, ContributionRows: 10}
	want, err := library.Train(t.Context(), p, o, data)
	if err != nil {
		t.Fatal(err)
	}
	if rows := 40_000 * rowSize(len(features)); rows < 4*pieceSize || len(want.Model) < pieceSize {
		t.Fatalf("%d bytes of rows and %d of model are too few to be sent in pieces", rows, len(want.Model))
	}
	for _, threads := range []int{1, 2, 100} {
		var seen []lightgbm.Iteration
		o.Threads, o.Progress = threads, func(i lightgbm.Iteration) { seen = append(seen, i) }
		got, err := pool.Train(t.Context(), p, o, data)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Model, want.Model) || got.Iterations != want.Iterations || !slices.Equal(got.Scores, want.Scores) ||
			!slices.Equal(got.History, want.History) || !slices.Equal(got.Importances, want.Importances) ||
			!slices.Equal(got.Contributions, want.Contributions) {
			t.Errorf("another result from a worker with %d threads", threads)
		}
		if !slices.Equal(seen, want.History) {
			t.Errorf("%d reports of progress, want %d", len(seen), len(want.History))
		}
	}
	if len(pool.workers) != 1 {
		t.Errorf("%d workers for trainings one after the other", len(pool.workers))
	}
}

// More contributions than one frame holds.
func TestContributions(t *testing.T) {
	library, err := lightgbm.Load(libraryPath)
	if err != nil {
		t.Fatalf("%v\ninstall it with: make lightgbm", err)
	}
	data, p := makeTable(40_000, 12_000).data(), params(20)
	p.NumLeaves = 2 // which is explained quickly
	o := lightgbm.Options{Threads: 1, ContributionRows: 12_000}
	want, err := library.Train(t.Context(), p, o, data)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(want.Contributions); n != 12_000*(len(features)+1) || 8*n < pieceSize {
		t.Fatalf("%d contributions are too few to be sent in pieces", n)
	}
	got, err := newPool(t, 1).Train(t.Context(), p, o, data)
	if err != nil || !slices.Equal(got.Contributions, want.Contributions) {
		t.Errorf("other contributions from a worker, or %v", err)
	}
	var r lightgbm.Result
	for _, piece := range []int{8 * 5, 7, 8 * 6} {
		if err := addContributions(&r, make([]byte, piece), 10); churn.IsKind(err, churn.Internal) != (piece != 8*5) {
			t.Errorf("%d bytes after %d contributions of 10: %v", piece, len(r.Contributions), err)
		}
	}
}

// Trainings together get a worker each, as far as there are CPUs.
func TestTogether(t *testing.T) {
	pool := newPool(t, 3)
	data := makeTable(300, 100).data()
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			if _, err := pool.Train(t.Context(), params(20), lightgbm.Options{Threads: 1}, data); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(pool.workers); n < 1 || n > 3 || len(pool.idle) != n {
		t.Errorf("%d workers, %d of them idle, with 3 CPUs", n, len(pool.idle))
	}
}

// endless is a training that goes on until something ends it; begun is called
// once it is under way.
func endless(ctx context.Context, t testing.TB, pool *Pool, begun func()) error {
	t.Helper()
	_, err := pool.Train(ctx, params(100_000), lightgbm.Options{
		Progress: func(i lightgbm.Iteration) {
			if i.Number == 3 {
				begun()
			}
		},
	}, makeTable(2000, 500).data())
	if err == nil {
		t.Error("the training came to an end")
	}
	return err
}

// A worker that is ended from outside or by its own native code is an attempt
// that failed, and the next one works.
func TestCrash(t *testing.T) {
	pool := newPool(t, 1)
	for signal, want := range map[syscall.Signal]string{
		syscall.SIGKILL: "signal: killed (is there enough memory?)", // as the kernel does where memory runs out
		syscall.SIGABRT: "SIGABRT",                                  // as abort() does
		syscall.SIGSEGV: "SIGSEGV",
	} {
		err := endless(t.Context(), t, pool, func() {
			if err := only(t, pool).cmd.Process.Signal(signal); err != nil {
				t.Error(err)
			}
		})
		if !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), want) {
			t.Errorf("after %v: %v, want a transient error with %q", signal, err, want)
		}
		if _, err := pool.Train(t.Context(), params(5), lightgbm.Options{}, makeTable(300, 100).data()); err != nil {
			t.Errorf("the training after %v: %v", signal, err)
		}
	}
}

// only returns the pool's only worker.
func only(t testing.TB, pool *Pool) *process {
	t.Helper()
	pool.mu.Lock()
	defer pool.mu.Unlock()
	if len(pool.workers) != 1 {
		t.Fatalf("%d workers, want 1", len(pool.workers))
	}
	for w := range pool.workers {
		return w
	}
	return nil
}

func TestIdleWorkerDies(t *testing.T) {
	pool := newPool(t, 1)
	w := only(t, pool)
	w.kill()
	<-w.ended
	if _, err := pool.Train(t.Context(), params(5), lightgbm.Options{}, makeTable(300, 100).data()); err != nil {
		t.Error(err)
	}
	if again := only(t, pool); again == w {
		t.Error("the dead worker is in the pool")
	}
}

func TestCancel(t *testing.T) {
	pool := newPool(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	w := only(t, pool)
	err := endless(ctx, t, pool, cancel)
	if !churn.IsKind(err, churn.Transient) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, want a transient error", err)
	}
	if w.alive() || len(pool.workers) != 0 {
		t.Errorf("the worker of a cancelled training is alive: %v; %d workers", w.alive(), len(pool.workers))
	}
	if _, err := pool.Train(ctx, params(5), lightgbm.Options{}, makeTable(300, 100).data()); !churn.IsKind(err, churn.Transient) {
		t.Errorf("a training that is cancelled before it begins: %v, want a transient error", err)
	}
}

// A training that waits for another says so, again and again, and then trains.
func TestWaiting(t *testing.T) {
	pool := newPool(t, 1)
	pool.telling = time.Millisecond
	ctx, end := context.WithCancel(t.Context())
	begun := make(chan struct{})
	var first sync.WaitGroup
	defer first.Wait()
	defer end()
	first.Go(func() { _ = endless(ctx, t, pool, func() { close(begun) }) })
	<-begun
	var numbers []int
	r, err := pool.Train(t.Context(), params(3), lightgbm.Options{Progress: func(i lightgbm.Iteration) {
		if numbers = append(numbers, i.Number); len(numbers) == 5 {
			end()
		}
	}}, makeTable(2000, 500).data())
	if err != nil {
		t.Fatal(err)
	}
	waits := slices.Index(numbers, 1)
	if waits < 5 || slices.Max(numbers[:waits]) != 0 || !slices.Equal(numbers[waits:], []int{1, 2, 3}) {
		t.Errorf("told was %v", numbers)
	}
	if len(r.History) != 3 {
		t.Errorf("the history has %d iterations", len(r.History))
	}
}

func TestClose(t *testing.T) {
	pool := newPool(t, 1)
	w := only(t, pool)
	err := endless(t.Context(), t, pool, pool.Close)
	if !churn.IsKind(err, churn.Internal) || w.alive() {
		t.Errorf("closed while training: %v, want an internal error; alive: %v", err, w.alive())
	}
	_, err = pool.Train(t.Context(), params(5), lightgbm.Options{}, makeTable(300, 100).data())
	if !churn.IsKind(err, churn.Transient) || len(pool.workers) != 0 {
		t.Errorf("after Close: %v, want a transient error; %d workers", err, len(pool.workers))
	}
	pool.Close()
}

// Errors of the data, whether LightGBM's side finds them or reading does, come
// back as they are; after the former the worker goes on.
func TestDataErrors(t *testing.T) {
	pool := newPool(t, 1)
	w := only(t, pool)
	// The wrong label is at the beginning of more rows than a pipe holds.
	bad := makeTable(100_000, 100)
	bad.y[0][7] = 3
	_, err := pool.Train(t.Context(), params(5), lightgbm.Options{}, bad.data())
	if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), "training row 7 has label 3") || churn.OpOf(err) != "lightgbm.Train" {
		t.Errorf("a wrong label: %v", err)
	}
	if only(t, pool) != w {
		t.Error("a wrong label has cost the worker")
	}
	wrong := params(5)
	wrong.NumLeaves = 1
	if _, err = pool.Train(t.Context(), wrong, lightgbm.Options{}, makeTable(100, 100).data()); !churn.IsKind(err, churn.Invalid) {
		t.Errorf("wrong parameters: %v", err)
	}

	unreadable := churn.Errorf("test", churn.NotFound, "unreadable")
	data := makeTable(100, 100).data()
	rows := data.Chunks
	data.Chunks = func() iter.Seq2[lightgbm.Chunk, error] {
		return func(yield func(lightgbm.Chunk, error) bool) {
			for c, err := range rows() {
				if yield(c, err) {
					yield(lightgbm.Chunk{}, unreadable)
				}
				return
			}
		}
	}
	if _, err = pool.Train(t.Context(), params(5), lightgbm.Options{}, data); !errors.Is(err, unreadable) || churn.OpOf(err) != "test" {
		t.Errorf("rows that cannot be read: %v, want %v", err, unreadable)
	}
	data = makeTable(100, 100).data()
	data.Features = features[:2]
	if _, err = pool.Train(t.Context(), params(5), lightgbm.Options{}, data); !churn.IsKind(err, churn.Internal) {
		t.Errorf("chunks of another width: %v, want an internal error", err)
	}
	if _, err := pool.Train(t.Context(), params(5), lightgbm.Options{}, makeTable(300, 100).data()); err != nil {
		t.Errorf("the training after errors: %v", err)
	}
}

// A library that is not the pinned one is not loaded, here as anywhere.
func TestTamperedLibrary(t *testing.T) {
	library, err := os.ReadFile(libraryPath)
	if err != nil {
		t.Fatalf("%v\ninstall it with: make lightgbm", err)
	}
	library[len(library)/2] ^= 1
	path := filepath.Join(t.TempDir(), "lib_lightgbm.so")
	if err := os.WriteFile(path, library, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, path + ".not-there"} {
		if _, err := New(t.Context(), path, Limits{CPUs: 1}, nil); !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), "make lightgbm") {
			t.Errorf("%s: %v, want an invalid error", path, err)
		}
	}
}

// A worker is given no credentials.
func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", only(t, newPool(t, 1)).cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(env, []byte("GOMP_SPINCOUNT=10000\x00")) || bytes.Contains(env, []byte("secret")) {
		t.Errorf("environment %q", env)
	}
}

func TestIsWorker(t *testing.T) {
	for _, c := range []struct {
		args, env []string
		want      bool
	}{
		{[]string{"trainer", argument, "lib"}, []string{"A=b", setting}, true},
		{[]string{"trainer", argument, "lib"}, []string{"A=b"}, false},
		{[]string{"trainer", argument}, []string{setting}, false},
		{[]string{"trainer", "up", "lib"}, []string{setting}, false},
		{[]string{"trainer"}, nil, false},
		{nil, []string{setting}, false},
	} {
		if got := isWorker(c.args, c.env); got != c.want {
			t.Errorf("isWorker(%q, %q) = %v", c.args, c.env, got)
		}
	}
}

// A program whose main does not begin with Main does not start itself again and
// again.
func TestNewInAWorker(t *testing.T) {
	name, value, _ := strings.Cut(setting, "=")
	t.Setenv(name, value)
	if _, err := New(t.Context(), libraryPath, Limits{CPUs: 1}, nil); !churn.IsKind(err, churn.Internal) {
		t.Errorf("New in a worker: %v, want an internal error", err)
	}
}

// trainForEver prints the worker's process id once it trains.
func trainForEver() {
	pool, err := New(context.Background(), libraryPath, Limits{CPUs: 1}, nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	_, err = pool.Train(context.Background(), params(100_000), lightgbm.Options{
		Progress: func(i lightgbm.Iteration) {
			if i.Number == 3 {
				for w := range pool.workers {
					fmt.Println(w.cmd.Process.Pid)
				}
			}
		},
	}, makeTable(2000, 500).data())
	fmt.Println(err)
	os.Exit(1)
}

// A worker whose parent is killed in the middle of a training ends.
func TestDiesWithItsParent(t *testing.T) {
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), host+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the host says %q", line)
	}
	if !trains(pid) {
		t.Fatalf("process %d is no worker", pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()    // the kill
	for trains(pid) { // for ever, if it outlives its parent
		time.Sleep(time.Millisecond)
	}
}

// trains reports whether the process is there and a worker.
func trains(pid int) bool {
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && bytes.Contains(command, []byte(argument))
}

func TestChunkRoundTrip(t *testing.T) {
	c := lightgbm.Chunk{Set: lightgbm.Validation, X: []float64{1, -2.5, math.MaxFloat64, 0, math.Inf(-1), 1e-300}, Y: []float32{1, 0, 3}}
	body := appendChunk(nil, c, 2, 1, 3)
	got := lightgbm.Chunk{X: make([]float64, 99), Y: make([]float32, 99)}
	if err := readChunk(body, &got, 2); err != nil {
		t.Fatal(err)
	}
	if got.Set != c.Set || !slices.Equal(got.X, c.X[2:]) || !slices.Equal(got.Y, c.Y[1:]) {
		t.Errorf("%v came back as %v", c, got)
	}
	for _, n := range []int{0, 2, len(body) - 1} {
		if err := readChunk(body[:n], &got, 2); err == nil {
			t.Errorf("%d of %d bytes were read as rows", n, len(body))
		}
	}
}

func TestTail(t *testing.T) {
	var tl tail
	for i := range 10_000 {
		fmt.Fprintf(&tl, "line %d\n", i)
	}
	if got := tl.String(); len(got) > shownTail || !strings.HasSuffix(got, "line 9998\nline 9999") {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-20:])
	}
	tl.reset()
	fmt.Fprint(&tl, "SIGABRT: abort\nPC=0x1\n\ngoroutine 1 gp=0x2 [running]:\nmain.main()\n")
	if got := tl.String(); got != "SIGABRT: abort\nPC=0x1" {
		t.Errorf("%q", got)
	}
	tl.reset()
	if _, err := tl.Write(bytes.Repeat([]byte("\xff"), 3*keptTail)); err != nil {
		t.Fatal(err)
	}
	if got := tl.String(); got == "" || strings.Trim(got, "\uFFFD") != "" {
		t.Errorf("%q", got)
	}
}

// Frames of any content are read or refused.
func FuzzReceive(f *testing.F) {
	var b bytes.Buffer
	c := newConn(nil, &b)
	for range 2 {
		if err := c.sendJSON(kindReady, greeting{"digest"}); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(b.Bytes())
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff})
	soak.Fuzz(f, func(t *testing.T, stream []byte) {
		c := newConn(bytes.NewReader(stream), io.Discard)
		var result lightgbm.Result
		for read := 0; ; {
			_, body, err := c.receive()
			if err != nil {
				return
			}
			if read += 5 + len(body); read > len(stream) {
				t.Fatalf("%d bytes came out of %d", read, len(stream))
			}
			var chunk lightgbm.Chunk
			_ = readChunk(body, &chunk, 3) // must not panic
			_, _ = readBlocks(body, 3)     // nor this
			if err := addContributions(&result, body, 8); err == nil && len(result.Contributions) > 8 {
				t.Fatalf("%d contributions of 8", len(result.Contributions))
			}
			var f failure
			if json.Unmarshal(body, &f) == nil && f.error() == nil {
				t.Fatalf("%s is no failure", body)
			}
		}
	})
}

func BenchmarkTrain(b *testing.B) {
	pool := newPool(b, 1)
	data := makeTable(5000, 1000).data()
	for b.Loop() {
		if _, err := pool.Train(b.Context(), params(1), lightgbm.Options{}, data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		w, err := start(b.Context(), libraryPath, 0)
		if err != nil {
			b.Fatal(err)
		}
		w.close()
	}
}
