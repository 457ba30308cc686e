package kafka

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
)

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for _, brokers := range [][]string{nil, {"localhost"}, {"localhost:x"}, {"a:9092", "b:0"}} {
		if _, err := New(Config{Brokers: brokers}); !churn.IsKind(err, churn.Invalid) {
			t.Errorf("brokers %q: error is %v, not Invalid", brokers, err)
		}
	}
}

// A member that is killed while its group rebalances is waited for no longer than
// one that is killed at another time, whatever that time is set to.
func TestRebalancesWaitForASession(t *testing.T) {
	for _, c := range []Config{{}, {SessionTimeout: 6 * time.Second}} {
		if got := c.withDefaults(); got.RebalanceTimeout != got.SessionTimeout || got.SessionTimeout == 0 {
			t.Errorf("a session of %v, and rebalances wait for %v", got.SessionTimeout, got.RebalanceTimeout)
		}
	}
}

func TestBatchesAreBounded(t *testing.T) {
	var records []bus.Record
	for _, n := range []int{10, maxBatch / 2, maxBatch / 2, maxBatch * 3, 10, 10} {
		records = append(records, bus.Record{Value: make([]byte, n)})
	}
	var sizes []int
	for _, b := range batches(records) {
		sizes = append(sizes, len(b))
	}
	if want := []int{2, 1, 1, 2}; !slices.Equal(sizes, want) {
		t.Errorf("batches of %v records, not %v", sizes, want)
	}
}

// What comes due during a commit goes with the next one, and close flushes.
func TestCommitterGathers(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	var commits []map[string]map[int]int64
	c := newCommitter(func(due map[string]map[int]int64) error {
		commits = append(commits, due)
		if len(commits) == 1 {
			close(began)
			<-goOn
		}
		return nil
	})
	done := make(chan error)
	go func() { done <- c.run() }()
	c.done(partition{"t", 0}, 1)
	<-began
	for next := range int64(5) {
		c.done(partition{"t", 0}, 2+next)
	}
	c.done(partition{"t", 1}, 9)
	c.close()
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(commits) != 2 || commits[0]["t"][0] != 1 || commits[1]["t"][0] != 6 || commits[1]["t"][1] != 9 {
		t.Errorf("commits are %v", commits)
	}
}

func TestCommitterEndsWithAnError(t *testing.T) {
	fenced := errors.New("fenced")
	c := newCommitter(func(map[string]map[int]int64) error { return fenced })
	c.done(partition{"t", 0}, 1)
	if err := c.run(); !errors.Is(err, fenced) {
		t.Errorf("error is %v", err)
	}
	c.done(partition{"t", 0}, 2) // must not block
}

func TestBackoffGrowsToItsBound(t *testing.T) {
	var b backoff
	ended, end := context.WithCancel(t.Context())
	end()
	var pauses []time.Duration
	for range 9 {
		if b.wait(ended) {
			t.Fatal("paused though there was nothing left to wait for")
		}
		pauses = append(pauses, b.pause/minPause)
	}
	if want := []time.Duration{1, 2, 4, 8, 16, 32, 64, 100, 100}; !slices.Equal(pauses, want) {
		t.Errorf("pauses are %d times the least, not %d", pauses, want)
	}
	if b.reset(); !b.wait(t.Context()) || b.pause != minPause {
		t.Errorf("after a reset the pause is %v", b.pause)
	}
}

// Markers and aborted transactions are hidden, whatever is between them.
func TestAbortedTransactionsAreHidden(t *testing.T) {
	batch := func(producer, base int64, transactional bool) protocol.RecordReader {
		b := &protocol.RecordBatch{ProducerID: producer, BaseOffset: base}
		if transactional {
			b.Attributes = protocol.Transactional
		}
		return b
	}
	marker := func(producer, base int64) protocol.RecordReader {
		return &protocol.ControlBatch{ProducerID: producer, BaseOffset: base}
	}
	a := aborts{7: {2, 9}}
	for _, c := range []struct {
		name   string
		batch  protocol.RecordReader
		hidden bool
	}{
		{"committed before", batch(7, 0, true), false},
		{"its marker", marker(7, 1), true},
		{"aborted", batch(7, 2, true), true},
		{"another's", batch(8, 3, true), false},
		{"without a transaction", batch(-1, 4, false), false},
		{"aborted too", batch(7, 5, true), true},
		{"another's marker", marker(8, 6), true},
		{"abort marker", marker(7, 7), true},
		{"committed between", batch(7, 8, true), false},
		{"aborted again", batch(7, 9, true), true},
		{"last marker", marker(7, 10), true},
		{"committed after", batch(7, 11, true), false},
	} {
		if got := a.hides(c.batch); got != c.hidden {
			t.Errorf("%s: hidden is %v", c.name, got)
		}
	}
}

// kafka-go's Writer lingers for a second by default, and a Reader commits
// without the generation's fence.
func TestNeitherWriterNorReaderIsUsed(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "kafka" &&
				slices.Contains([]string{"Writer", "WriterConfig", "NewWriter", "Reader", "ReaderConfig", "NewReader"}, s.Sel.Name) {
				t.Errorf("%s uses kafka.%s", name, s.Sel.Name)
			}
			return true
		})
	}
}
