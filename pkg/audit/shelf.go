package audit

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stat"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// shelf finds and reads what a comparison takes: scores of hold-outs and, where
// there are none, models. Nothing is read until it is asked for.
type shelf struct {
	store  blob.Store
	models map[string]*model   // by the run that trained them
	scores map[scoresOf]stored // where scores of a hold-out are stored
	judged map[scoresOf]*eventv1.Metrics
	reads  atomic.Int64

	mu     sync.Mutex        // of what follows
	tables map[string]*table // by URI; see maxHeld
	recent []*blob.Artifact  // of tables, the oldest first
	held   int64             // bytes of the files in tables
}

// model is what scores: a model's text with its preprocessing.
type model struct {
	champion *eventv1.Champion
	profile  *blob.Artifact // of the data that it was trained on
}

// scoresOf names scores: a model's of the rows of a hold-out.
type scoresOf struct{ run, holdout string }

// stored says where scores are.
type stored struct {
	artifact *blob.Artifact
	champion bool // they are the champion's there, and not the candidate's
}

// table is a file of scores, read once, perhaps by several at once.
type table struct {
	once sync.Once
	*holdout
	err error
}

const (
	// aheadFiles is how many files at most are read before they are needed.
	aheadFiles = 32
	// maxHeld bounds the bytes of the files whose rows are held for those who need
	// them again; those that are read ahead may be a quarter of it.
	maxHeld = 256 << 20
)

// newShelf notes what there is.
func newShelf(store blob.Store, items []item) *shelf {
	s := &shelf{store: store, models: map[string]*model{}, scores: map[scoresOf]stored{}, judged: map[scoresOf]*eventv1.Metrics{}, tables: map[string]*table{}}
	for _, it := range items {
		if it.judged != nil {
			s.note(it.judged)
		}
	}
	for _, it := range items { // versions have numbers once they are champions
		if c := it.change; c != nil && s.models[c.Run] != nil {
			s.models[c.Run].champion.Version = c.Version
		}
	}
	return s
}

func (s *shelf) note(e *judged) {
	run, scores := e.run.ID, e.GetEvaluation().GetScores()
	s.models[run] = &model{profile: e.GetFeatures().GetProfile(), champion: &eventv1.Champion{
		Run: run, Model: e.GetCandidate().GetModel(), Preprocessor: e.GetFeatures().GetPreprocessor(),
	}}
	s.scores[scoresOf{run, e.holdout()}] = stored{scores, false}
	if c := e.GetChampion(); c != nil {
		at := scoresOf{c.GetRun(), e.holdout()}
		if _, ok := s.scores[at]; !ok {
			s.scores[at] = stored{scores, true}
		}
		if s.models[c.GetRun()] == nil {
			s.models[c.GetRun()] = &model{champion: c}
		}
	}
}

// read reads a file of scores, or returns what was read of it.
func (s *shelf) read(ctx context.Context, a *blob.Artifact) (*holdout, error) {
	s.mu.Lock()
	t := s.tables[a.GetUri()]
	if t == nil {
		t = &table{}
		s.tables[a.GetUri()] = t
		s.recent, s.held = append(s.recent, a), s.held+a.GetSize()
		for len(s.recent) > 1 && s.held > maxHeld {
			delete(s.tables, s.recent[0].GetUri())
			s.held -= s.recent[0].GetSize()
			s.recent = s.recent[1:]
		}
	}
	s.mu.Unlock()
	t.once.Do(func() { t.holdout, t.err = s.fetch(ctx, a) })
	return t.holdout, t.err
}

func (s *shelf) fetch(ctx context.Context, a *blob.Artifact) (*holdout, error) {
	s.reads.Add(1)
	file, err := blob.Fetch(ctx, s.store, a, maxScores, nil)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return decode(file, a.GetSize())
}

// ahead reads the next files that are needed where paths have parted, several at
// once. Errors are told to who needs the file.
func (s *shelf) ahead(ctx context.Context, items []item) {
	var next []*blob.Artifact
	bytes := int64(0)
	for _, it := range items {
		if it.judged == nil {
			continue
		}
		a := it.judged.GetEvaluation().GetScores()
		if bytes += a.GetSize(); len(next) == aheadFiles || len(next) > 0 && bytes > maxHeld/4 {
			break
		}
		next = append(next, a)
	}
	if len(next) == 0 || s.known(next[0]) {
		return
	}
	var group errgroup.Group
	group.SetLimit(4 * runtime.GOMAXPROCS(0)) // the store is waited for, too
	for _, a := range next {
		group.Go(func() error {
			_, _ = s.read(ctx, a)
			return nil
		})
	}
	_ = group.Wait()
}

func (s *shelf) known(a *blob.Artifact) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tables[a.GetUri()] != nil
}

// other returns the scores of a model on the rows of an evaluation, and what they
// rest on: stored ones if the model was scored on these rows before, else new ones.
func (s *shelf) other(ctx context.Context, e *judged, own *holdout, run string) (*stat.Sample, Basis, error) {
	if at, ok := s.scores[scoresOf{run, e.holdout()}]; ok {
		if t, err := s.read(ctx, at.artifact); err == nil {
			if scores, err := own.beside(t, at.champion); scores != nil || err != nil {
				return scores, Compared, err
			}
		} else if !missing(err) {
			return nil, Compared, err
		}
	}
	m := s.models[run]
	if m == nil {
		return nil, Scored, churn.Errorf("audit.other", churn.NotFound, "the log does not name the model of run %s", run)
	}
	scores, err := s.score(ctx, e, own, m)
	return scores, Scored, err
}

// metrics returns the metrics of a champion's scores, which many candidates are
// compared with.
func (s *shelf) metrics(of scoresOf, scores *stat.Sample) (*eventv1.Metrics, error) {
	if m, ok := s.judged[of]; ok {
		return m, nil
	}
	m, err := metrics(scores)
	if err == nil {
		s.judged[of] = m
	}
	return m, err
}

// get reads an artifact.
func (s *shelf) get(ctx context.Context, a *blob.Artifact, limit int64) ([]byte, error) {
	s.reads.Add(1)
	return s.store.Get(ctx, a, limit)
}

// missing reports whether the error is of an artifact, which another way may make up
// for, and not of the store.
func missing(err error) bool {
	return churn.IsKind(err, churn.NotFound) || churn.IsKind(err, churn.Invalid)
}
