package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"
	"runtime"
	"slices"

	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

// A process is a worker if it has both: the first argument, which shows in a
// list of processes, and the setting, which nobody gives by accident.
const (
	argument = "lightgbm-worker"
	setting  = "CHURN_LIGHTGBM_WORKER=1"
)

// What a worker finds open. Nothing native knows of the last two, so that no
// message of its own can get between the frames.
const (
	lifelineFile = 0 // ends when the parent does
	requestFile  = 3
	answerFile   = 4
)

// Main is called first in main. In an ordinary process it returns at once; in a
// worker it trains until the parent ends, and never returns.
func Main() {
	if !isWorker(os.Args, os.Environ()) {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.NewFile(lifelineFile, "lifeline"))
		os.Exit(0)
	}()
	// An interrupt at the terminal is the parent's to act on.
	signal.Ignore(os.Interrupt)
	// Where memory runs out, this process is to go rather than the service: its
	// work is tried again.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0)
	// OpenMP has a pool of threads for every thread that it is called from.
	runtime.LockOSThread()
	if err := limitMemory(os.Environ()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c := newConn(os.NewFile(requestFile, "requests"), os.NewFile(answerFile, "answers"))
	if err := work(c, os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func isWorker(args, env []string) bool {
	return len(args) == 3 && args[1] == argument && slices.Contains(env, setting)
}

// inWorker reports whether this process was started as a worker, also if it
// has not become one.
func inWorker() bool { return slices.Contains(os.Environ(), setting) }

// work loads the library and trains what is asked for until there are no more
// requests.
func work(c *conn, libraryPath string) error {
	library, err := lightgbm.Load(libraryPath)
	if err != nil {
		return c.sendJSON(kindFailure, failureOf(err))
	}
	if err := c.sendJSON(kindReady, greeting{library.SHA256()}); err != nil {
		return err
	}
	for {
		k, body, err := c.receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if k != kindTrain {
			return fmt.Errorf("a frame of kind %d came in place of a request", k)
		}
		var r request
		if err := json.Unmarshal(body, &r); err != nil {
			return err
		}
		if err := answer(c, library, r); err != nil {
			return err
		}
	}
}

// answer trains and sends the result, or why there is none. Its error is one of
// the connection.
func answer(c *conn, library *lightgbm.Library, r request) error {
	rows := &rows{conn: c, width: len(r.Features)}
	exchange := exchange{c}
	result, err := library.Train(context.Background(), r.Params, lightgbm.Options{
		Threads: r.Threads, ScoreRows: r.ScoreRows, ContributionRows: r.ContributionRows,
		Progress: func(i lightgbm.Iteration) { rows.fail(c.sendJSON(kindIteration, i)) },
		Members:  exchange.members(r.Members),
	}, lightgbm.Data{Features: r.Features, Rows: r.Rows, Chunks: rows.all})
	if rows.err != nil {
		return rows.err
	}
	if err == nil {
		err = sendResult(c, r, result)
	}
	if err != nil {
		return c.sendJSON(kindFailure, failureOf(err))
	}
	return nil
}

// sendResult sends what was found. All members have the same model: the first
// sends it.
func sendResult(c *conn, q request, r *lightgbm.Result) error {
	if q.Members != nil && q.Members.Rank > 0 {
		return c.sendJSON(kindResult, outcome{})
	}
	for piece := range slices.Chunk(r.Model, pieceSize) {
		if err := c.send(kindModel, piece); err != nil {
			return err
		}
	}
	for piece := range slices.Chunk(r.Contributions, pieceSize/8) {
		if err := c.send(kindContributions, appendFloats(nil, piece)); err != nil {
			return err
		}
	}
	return c.sendJSON(kindResult, outcome{r.Iterations, r.Importances, r.Scores})
}

// rows are the parent's rows.
type rows struct {
	conn  *conn
	width int
	chunk lightgbm.Chunk
	err   error // of the connection
}

// all asks for all rows and yields them as they come. What is no longer wanted
// is read nevertheless, since the parent sends it before it reads.
func (r *rows) all() iter.Seq2[lightgbm.Chunk, error] {
	return func(yield func(lightgbm.Chunk, error) bool) {
		wanted := true
		for more := r.ask(); more; {
			if more = r.next(); more && wanted {
				wanted = yield(r.chunk, nil)
			}
		}
		if r.err != nil && wanted {
			yield(lightgbm.Chunk{}, r.err)
		}
	}
}

// ask asks for the rows from the first.
func (r *rows) ask() bool {
	r.fail(r.conn.send(kindRows))
	r.fail(r.conn.out.Flush())
	return r.err == nil
}

// next reads the next chunk, and reports whether there is one.
func (r *rows) next() bool {
	k, body, err := r.conn.receive()
	switch {
	case err != nil:
		r.fail(err)
	case k == kindChunk:
		r.fail(readChunk(body, &r.chunk, r.width))
		return r.err == nil
	case k != kindEnd:
		r.fail(fmt.Errorf("a frame of kind %d came in place of rows", k))
	}
	return false
}

// fail keeps the first error.
func (r *rows) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}
