package lightgbm

import (
	"context"
	"math"
	"runtime"

	"github.com/asfotec/churn/pkg/churn"
)

// Options are what does not change the model.
type Options struct {
	Threads   int             // see Threads
	ScoreRows int             // how many of the first validation rows to score
	Progress  func(Iteration) // called after each iteration; may be nil

	// ContributionRows is how many of the first validation rows to explain: the
	// fewer, the larger the model.
	ContributionRows int

	// Members is set if this training is one of several that make one model. It
	// does change the model.
	Members *Members
}

// Iteration is how the model did on the validation rows after an iteration.
type Iteration struct {
	Number  int     `json:"iteration"` // from 1; 0: the training has not begun
	AUC     float64 `json:"auc"`
	LogLoss float64 `json:"binary_logloss"`
}

// Importance is what a feature contributed to the model.
type Importance struct {
	Feature string  `json:"feature"`
	Gain    float64 `json:"gain"`  // total gain of the splits on it
	Splits  int64   `json:"split"` // number of splits on it
}

// Result is a trained model.
type Result struct {
	Model       []byte       // LightGBM's text format
	Iterations  int          // trees in the model
	History     []Iteration  // of every iteration, also of those that were given up
	Importances []Importance // in the order of the features
	Scores      []float64    // probability of each of the first validation rows

	// Contributions has for each of the first validation rows what each feature
	// adds to its log odds, and the log odds that are added to: rows × (features
	// + 1), row-major.
	Contributions []float64
}

// Train trains a binary classifier. With early stopping it ends once
// EarlyStoppingRound iterations have brought no better log loss on the validation
// rows, and the model is that of the best iteration. Log loss, since AUC alone is
// content with few trees that rank well and give no probability above one half.
//
// A cancelled context is noticed between iterations and is a Transient error.
// Trainings in one process follow one another.
func (l *Library) Train(ctx context.Context, p Params, o Options, d Data) (*Result, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := d.validate(o.Members); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	runtime.LockOSThread() // the last error belongs to a thread
	defer runtime.UnlockOSThread()

	s := &session{api: &l.api, params: p, options: o, data: d}
	defer s.free()
	if err := s.check("SetMaxThreads", s.setMaxThreads(int32(max(1, o.Threads)))); err != nil {
		return nil, err
	}
	if err := s.join(l); err != nil {
		return nil, err
	}
	if err := s.datasets(ctx); err != nil {
		return nil, err
	}
	if err := s.createBooster(); err != nil {
		return nil, err
	}
	if err := s.boost(ctx); err != nil {
		return nil, err
	}
	return s.result()
}

// session is one training's state.
type session struct {
	*api
	params    Params
	options   Options
	data      Data
	sets      [2]handle // alive until the booster is freed
	booster   handle
	labels    []float32 // of the validation rows
	scores    []float64 // of the validation rows, by the trees so far
	reference []float64 // features of the first validation rows
	history   []Iteration
	best      int // iteration with the least log loss
	agreed    int // iterations that the members keep
}

func (s *session) free() {
	if s.booster != 0 {
		s.boosterFree(s.booster)
	}
	for _, d := range s.sets {
		if d != 0 {
			s.datasetFree(d)
		}
	}
	s.leave()
}

func (s *session) createBooster() error {
	if err := s.check("BoosterCreate", s.boosterCreate(s.sets[Train], s.parameters(), &s.booster)); err != nil {
		return err
	}
	if !s.judges() {
		return nil
	}
	return s.check("AddValidData", s.boosterAddValid(s.booster, s.sets[Validation]))
}

// boost adds trees until enough, or until they no longer help.
func (s *session) boost(ctx context.Context) error {
	for i := 1; ; i++ {
		if err := ctx.Err(); err != nil {
			return churn.E("lightgbm.Train", churn.Transient, err)
		}
		var finished int32 // no leaf could be split
		if err := s.check("Update", s.boosterUpdate(s.booster, &finished)); err != nil {
			return err
		}
		enough, err := s.enough(i, finished != 0)
		if err != nil {
			return err
		}
		if s.together(enough) {
			return nil
		}
	}
}

// enough evaluates the model after iteration i, and reports whether that was the
// last one.
func (s *session) enough(i int, finished bool) (bool, error) {
	if !s.judges() || finished && i > 1 { // only a first tree stays although it has one leaf
		return true, nil
	}
	err := s.evaluate(i)
	return finished || i >= int(s.params.NumIterations) || s.stopEarly(i), err
}

// evaluate notes how the model does after iteration i.
func (s *session) evaluate(i int) error {
	auc, err := s.auc()
	if err != nil {
		return err
	}
	loss, err := s.logLoss()
	if err != nil {
		return err
	}
	if math.IsNaN(auc) || math.IsNaN(loss) {
		return churn.Errorf("lightgbm.Train", churn.Invalid, "the training diverges: AUC %v and log loss %v at iteration %d; a smaller learning_rate helps", auc, loss, i)
	}
	now := Iteration{Number: i, AUC: auc, LogLoss: loss}
	s.history = append(s.history, now)
	if s.best == 0 || loss < s.history[s.best-1].LogLoss {
		s.best = i
	}
	if s.options.Progress != nil {
		s.options.Progress(now)
	}
	return nil
}

func (s *session) stopEarly(i int) bool {
	patience := int(s.params.EarlyStoppingRound)
	return patience > 0 && i-s.best >= patience
}

// kept is how many iterations the model keeps.
func (s *session) kept() int {
	if s.agreed > 0 {
		return s.agreed
	}
	if s.params.EarlyStoppingRound > 0 {
		return s.best
	}
	return len(s.history)
}
