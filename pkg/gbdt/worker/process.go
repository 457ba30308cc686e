package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

// self is the running program, even after its file has been replaced.
const self = "/proc/self/exe"

// maxModel is the most bytes that a model text may have.
const maxModel = 256 << 20

// process is a worker as its parent sees it.
type process struct {
	*conn
	cmd     *exec.Cmd
	pipes   [2]io.Closer
	printed *tail
	ended   chan struct{} // closed when it has
	sha256  string        // of the library
	sound   bool          // nothing is under way, and it can train again
}

// start starts a worker and waits until it has loaded the library.
func start(ctx context.Context, libraryPath string, memory int64) (*process, error) {
	p, err := spawn(libraryPath, memory)
	if err != nil {
		return nil, churn.Errorf("worker.start", churn.Internal, "the LightGBM worker cannot be started: %w (training needs Linux)", err)
	}
	stop := context.AfterFunc(ctx, p.kill)
	err = p.greet(ctx)
	if !stop() && err == nil {
		err = p.failed(ctx, context.Cause(ctx))
	}
	if err != nil {
		p.close()
		return nil, err
	}
	p.sound = true
	return p, nil
}

// spawn executes this program again. Its ends of the pipes are the child's
// requestFile and answerFile; the lifeline is its standard input.
func spawn(libraryPath string, memory int64) (*process, error) {
	requests, toWorker, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer requests.Close()
	fromWorker, answers, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, toWorker.Close())
	}
	defer answers.Close()
	p := &process{
		conn:    newConn(fromWorker, toWorker),
		cmd:     exec.Command(self, argument, libraryPath),
		pipes:   [2]io.Closer{fromWorker, toWorker},
		printed: &tail{},
		ended:   make(chan struct{}),
	}
	p.cmd.Args[0] = os.Args[0]
	p.cmd.Env = append(environment(), memorySetting+strconv.FormatInt(memory, 10))
	p.cmd.Stdout, p.cmd.Stderr = p.printed, p.printed
	p.cmd.ExtraFiles = []*os.File{requests, answers}
	if _, err = p.cmd.StdinPipe(); err == nil { // cmd holds it open
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, toWorker.Close(), fromWorker.Close())
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its ProcessState
		close(p.ended)
	}()
	return p, nil
}

// environment is all that a worker is given: no credentials. OpenMP's threads
// are to wait for one another briefly: spinning for longer takes the CPU from
// whoever they wait for.
func environment() []string {
	env := []string{setting, "GOMP_SPINCOUNT=10000"}
	if path, ok := os.LookupEnv("LD_LIBRARY_PATH"); ok {
		env = append(env, "LD_LIBRARY_PATH="+path)
	}
	return env
}

// greet waits until the worker is ready.
func (p *process) greet(ctx context.Context) error {
	k, body, err := p.receive()
	switch {
	case err != nil:
		return p.failed(ctx, err)
	case k == kindFailure:
		return p.refused(body)
	case k != kindReady:
		return p.failed(ctx, unexpected(k))
	}
	var g greeting
	if err := json.Unmarshal(body, &g); err != nil {
		return p.failed(ctx, err)
	}
	p.sha256 = g.LibrarySHA256
	return nil
}

// train trains in the worker. Afterwards the worker is sound, or must be closed.
func (p *process) train(ctx context.Context, params lightgbm.Params, o lightgbm.Options, d lightgbm.Data) (*lightgbm.Result, error) {
	defer p.begin(ctx)()
	if err := p.sendJSON(kindTrain, request{params, o.Threads, o.ScoreRows, o.ContributionRows, d.Features, d.Rows, nil}); err != nil {
		return nil, p.failed(ctx, err)
	}
	r := &lightgbm.Result{}
	for {
		k, body, err := p.receive()
		if err != nil {
			return nil, p.failed(ctx, err)
		}
		if k == kindRows {
			err = p.sendRows(ctx, d)
		} else {
			err = p.heard(ctx, k, body, r, o, len(d.Features))
		}
		if err != nil {
			return nil, err
		}
		if k == kindResult {
			p.sound = true
			return r, nil
		}
	}
}

// begin begins a training that is over when ctx is, at which the worker is killed.
// What it returns is called when the training has ended.
func (p *process) begin(ctx context.Context) (end func()) {
	p.sound = false
	p.printed.reset()
	stop := context.AfterFunc(ctx, p.kill)
	return func() { p.sound = stop() && p.sound }
}

// heard takes what the worker says of the training into the result.
func (p *process) heard(ctx context.Context, k kind, body []byte, r *lightgbm.Result, o lightgbm.Options, width int) error {
	switch k {
	case kindIteration:
		return p.iteration(ctx, body, r, o.Progress)
	case kindModel:
		return addPiece(r, body)
	case kindContributions:
		return addContributions(r, body, o.ContributionRows*(width+1))
	case kindResult:
		return p.result(ctx, body, r)
	case kindFailure:
		return p.refused(body)
	}
	return p.failed(ctx, unexpected(k))
}

// sendRows sends all rows. An error of the rows themselves is passed on as it is.
func (p *process) sendRows(ctx context.Context, d lightgbm.Data) error {
	width := len(d.Features)
	for c, err := range d.Chunks() {
		if err != nil {
			return err
		}
		if len(c.X) != len(c.Y)*width {
			return churn.Errorf("worker.Train", churn.Internal, "a chunk has %d labels and %d values, at %d features", len(c.Y), len(c.X), width)
		}
		if err := p.sendChunk(c, width); err != nil {
			return p.failed(ctx, err)
		}
	}
	if err := errors.Join(p.send(kindEnd), p.out.Flush()); err != nil {
		return p.failed(ctx, err)
	}
	return nil
}

func (p *process) iteration(ctx context.Context, body []byte, r *lightgbm.Result, progress func(lightgbm.Iteration)) error {
	var i lightgbm.Iteration
	if err := json.Unmarshal(body, &i); err != nil {
		return p.failed(ctx, err)
	}
	r.History = append(r.History, i)
	if progress != nil {
		progress(i)
	}
	return nil
}

func addPiece(r *lightgbm.Result, piece []byte) error {
	if len(r.Model)+len(piece) > maxModel {
		return churn.Errorf("worker.Train", churn.Invalid, "the model has more than %d bytes: fewer num_leaves or num_iterations make it smaller", maxModel)
	}
	r.Model = append(r.Model, piece...)
	return nil
}

// addContributions adds a piece of at most so many numbers in all.
func addContributions(r *lightgbm.Result, piece []byte, most int) error {
	if len(piece)%8 != 0 || len(r.Contributions)+len(piece)/8 > most {
		return churn.Errorf("worker.Train", churn.Internal, "the worker has sent %d bytes after %d contributions of %d", len(piece), len(r.Contributions), most)
	}
	r.Contributions = readFloats(r.Contributions, piece)
	return nil
}

func (p *process) result(ctx context.Context, body []byte, r *lightgbm.Result) error {
	var o outcome
	if err := json.Unmarshal(body, &o); err != nil {
		return p.failed(ctx, err)
	}
	r.Iterations, r.Importances, r.Scores = o.Iterations, o.Importances, o.Scores
	return nil
}

// refused is the error that the worker has sent. After one that LightGBM is to
// blame for, the worker is not used again.
func (p *process) refused(body []byte) error {
	err := readFailure(body)
	p.sound = churn.IsKind(err, churn.Invalid)
	return err
}

// failed ends the worker, after an error of the connection to it, and says how
// it ended: most likely that is what broke the connection.
func (p *process) failed(ctx context.Context, err error) error {
	const op = "worker.Train"
	if churn.IsKind(err, churn.Invalid) { // too large to send
		return err
	}
	p.kill()
	<-p.ended
	if ctx.Err() != nil {
		return churn.E(op, churn.Transient, context.Cause(ctx))
	}
	how := p.cmd.ProcessState.String()
	if how == "signal: killed" {
		how += " (is there enough memory?)"
	}
	if printed := p.printed.String(); printed != "" {
		how += "; it printed: " + printed
	}
	return churn.Errorf(op, churn.Internal, "the LightGBM worker ended: %s (%w)", how, err)
}

func unexpected(k kind) error { return fmt.Errorf("an unexpected frame of kind %d", k) }

// alive reports whether it has not ended.
func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// resident returns how many bytes of memory it has, 0 if that is not known.
func (p *process) resident() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

func (p *process) kill() { _ = p.cmd.Process.Kill() }

// close ends the worker and frees what it took.
func (p *process) close() {
	p.kill()
	<-p.ended
	for _, c := range p.pipes {
		_ = c.Close()
	}
}
