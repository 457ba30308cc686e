package leaves

import (
	"bufio"
	"context"
	"io"
	"math"
	"runtime"
	"strings"

	engine "github.com/dmitryikh/leaves"
	"golang.org/x/sync/errgroup"

	"github.com/asfotec/churn/pkg/churn"
)

// MaxModel is the most bytes that a model text may have.
const MaxModel = 256 << 20

// batch is how many rows are scored between two looks at the context.
const batch = 256

// Model is a model that is ready to score. It is safe for concurrent use.
type Model struct {
	ensemble *engine.Ensemble
	features []string
}

// Load reads a model in LightGBM's text format. Anything but a boosted binary
// classifier of numerical trees, as LightGBM 3 and 4 write it, is an Invalid
// error that says where.
func Load(text []byte) (m *Model, err error) {
	const op = "leaves.Load"
	defer recoverAs(op, &err)
	if len(text) > MaxModel {
		return nil, churn.Errorf(op, churn.Invalid, "the model text has %d bytes; at most %d are allowed", len(text), MaxModel)
	}
	c, err := check(string(text))
	if err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the model text cannot be scored: %w", err)
	}
	// leaves knows version v3 and refuses v4, whose trees are written alike.
	r := io.MultiReader(strings.NewReader(magic+"v3\n"), strings.NewReader(c.body))
	ensemble, err := engine.LGEnsembleFromReader(bufio.NewReader(r), true)
	if err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "the model text cannot be read by leaves: %w", err)
	}
	return &Model{ensemble, c.features}, nil
}

// Features returns the names of the inputs, in their order, as the model text
// has them: LightGBM allows fewer signs in a name than a preprocessor does.
func (m *Model) Features() []string { return m.features }

// Score returns the probability of the positive class of each row. x holds
// rows × features, row-major; a number that is not finite is an Invalid error.
// Rows are scored in parallel, each by itself, so that the scores are the same
// for any number of CPUs. A cancelled context is a Transient error.
func (m *Model) Score(ctx context.Context, x []float64) ([]float64, error) {
	const op = "leaves.Score"
	width := len(m.features)
	if len(x)%width != 0 {
		return nil, churn.Errorf(op, churn.Internal, "%d values are no rows of %d features", len(x), width)
	}
	for i, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, churn.Errorf(op, churn.Invalid, "row %d has %v in feature %s: it must be finite", i/width, v, m.features[i%width])
		}
	}
	scores := make([]float64, len(x)/width)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for first := 0; first < len(scores); first += batch {
		last := min(first+batch, len(scores))
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return churn.E(op, churn.Transient, err)
			}
			return m.score(x[first*width:last*width], scores[first:last])
		})
	}
	return scores, group.Wait()
}

// score fills in the scores of some rows, in this goroutine: a panic in one of
// the library's own could not be recovered.
func (m *Model) score(x, scores []float64) (err error) {
	const op = "leaves.Score"
	defer recoverAs(op, &err)
	err = m.ensemble.PredictDense(x, len(scores), len(m.features), scores, 0, 1)
	return churn.E(op, churn.Internal, err)
}

// recoverAs turns a panic of the library, on a text made to cause one, into an
// Invalid error.
func recoverAs(op string, err *error) {
	if r := recover(); r != nil {
		*err = churn.Errorf(op, churn.Invalid, "the model is damaged: %v", r)
	}
}
