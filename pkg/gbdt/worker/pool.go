package worker

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

// Limits are those of a pool.
type Limits struct {
	CPUs   int   // threads that the trainings under way have together
	Memory int64 // bytes that a worker may allocate; 0: as many as there are
}

// grown is how many bytes a worker may hold on to between trainings, unless it may
// not allocate so many at all.
const grown = 1 << 30

// Pool trains in worker processes. It is safe for concurrent use.
type Pool struct {
	id      string // which no other has
	library string
	sha256  string
	cpus    int
	memory  int64
	free    *semaphore.Weighted // CPUs that no training has
	observe func(time.Duration) // told how long each training took, rows included

	patience, gathering, telling time.Duration // see there

	mu      sync.Mutex
	workers map[*process]bool // all of them
	idle    []*process
	closed  bool
}

// New starts a worker with the library at the path, so that it is ready when
// the first training comes, and returns the pool of it. A worker that holds on to
// much memory after a training is replaced.
//
// Each training that succeeds is told to observe, which may be nil, with the time
// it took, rows included.
//
// A library that is not there, or not the pinned one, is an Invalid error. In a
// program that does not begin with Main, New fails.
func New(ctx context.Context, libraryPath string, limits Limits, observe func(time.Duration)) (*Pool, error) {
	if inWorker() {
		return nil, churn.Errorf("worker.New", churn.Internal, "this is a worker itself: its main must begin with worker.Main()")
	}
	cpus := max(1, limits.CPUs)
	p := &Pool{
		id: rand.Text(), patience: patience, gathering: gathering, telling: telling,
		library: libraryPath, cpus: cpus, memory: limits.Memory, free: semaphore.NewWeighted(int64(cpus)),
		workers: map[*process]bool{}, observe: observe,
	}
	w, err := p.start(ctx)
	if err != nil {
		return nil, err
	}
	p.sha256 = w.sha256
	p.give(w)
	return p, nil
}

// LibrarySHA256 returns the digest of the LightGBM library, in lower-case hex.
func (p *Pool) LibrarySHA256() string { return p.sha256 }

// CPUs returns how many threads all trainings together may have.
func (p *Pool) CPUs() int { return p.cpus }

// Train trains as lightgbm.Library.Train does. The rows are streamed to a
// worker and progress comes back. Options.Threads is limited to the pool's CPUs,
// which it waits for: meanwhile progress is an Iteration of number 0, every few
// seconds.
//
// A worker that dies, of a crash or for want of memory, is an Internal error
// with the end of what it printed. Cancelling ctx kills the worker, and is a
// Transient error. An error of the data is passed on.
func (p *Pool) Train(ctx context.Context, params lightgbm.Params, o lightgbm.Options, d lightgbm.Data) (*lightgbm.Result, error) {
	o.Threads = min(max(1, o.Threads), p.cpus)
	if err := p.wait(ctx, int64(o.Threads), o.Progress); err != nil {
		return nil, churn.E("worker.Train", churn.Transient, err)
	}
	defer p.free.Release(int64(o.Threads))
	w, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	defer p.give(w)
	start := time.Now()
	r, err := w.train(ctx, params, o, d)
	if err == nil && p.observe != nil {
		p.observe(time.Since(start))
	}
	return r, err
}

// telling is how often a training says that it waits.
const telling = 5 * time.Second

// wait takes so many CPUs as soon as those who came before have left them. It says
// that it waits: who waits for others, however long, is not stuck.
func (p *Pool) wait(ctx context.Context, cpus int64, tell func(lightgbm.Iteration)) error {
	if p.free.TryAcquire(cpus) {
		return nil
	}
	taken := make(chan error, 1)
	go func() { taken <- p.free.Acquire(ctx, cpus) }()
	for {
		if tell != nil {
			tell(lightgbm.Iteration{})
		}
		select {
		case err := <-taken:
			return err
		case <-time.After(p.telling):
		}
	}
}

// Close kills all workers. A training under way fails as Transient.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for w := range p.workers {
		w.kill()
	}
	for _, w := range p.idle {
		p.drop(w)
	}
	p.idle = nil
}

// take returns a worker that is ready.
func (p *Pool) take(ctx context.Context) (*process, error) {
	if w := p.takeIdle(); w != nil {
		return w, nil
	}
	return p.start(ctx)
}

// takeIdle returns an idle worker that has not died meanwhile, or nil.
func (p *Pool) takeIdle() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		w := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if w.alive() {
			return w
		}
		p.drop(w)
	}
	return nil
}

// start starts a worker.
func (p *Pool) start(ctx context.Context) (*process, error) {
	w, err := start(ctx, p.library, p.memory)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.workers[w] = true
	if p.closed {
		p.drop(w)
		return nil, churn.Errorf("worker.Train", churn.Transient, "the workers are stopped")
	}
	return w, nil
}

// give takes a worker back.
func (p *Pool) give(w *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || !w.sound || w.resident() > grown {
		p.drop(w)
		return
	}
	p.idle = append(p.idle, w)
}

// drop ends a worker that nobody uses. The caller holds mu.
func (p *Pool) drop(w *process) {
	delete(p.workers, w)
	w.close()
}
