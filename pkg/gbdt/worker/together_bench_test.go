package worker

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

// million is a million training rows and a fifth of that for the validation, of as
// many features as the Telco data has, twelve of which matter. It is made as it is
// read: memory holds one chunk.
func million() lightgbm.Data {
	const width, perChunk = 46, 10_000
	d := lightgbm.Data{Rows: [2]int{1_000_000, 200_000}}
	for i := range width {
		d.Features = append(d.Features, fmt.Sprintf("f%d", i))
	}
	d.Chunks = func() iter.Seq2[lightgbm.Chunk, error] {
		return func(yield func(lightgbm.Chunk, error) bool) {
			for set, rows := range d.Rows {
				for from := 0; from < rows; from += perChunk {
					r := rand.New(rand.NewPCG(uint64(set), uint64(from)))
					c := lightgbm.Chunk{Set: lightgbm.Set(set), X: make([]float64, perChunk*width), Y: make([]float32, perChunk)}
					for i := range c.Y {
						x := c.X[i*width:][:width]
						for j := range x {
							x[j] = math.Round(1000*r.NormFloat64()) / 1000
						}
						score := -1.0
						for j := range 6 {
							score += x[j]*0.4 + x[j+6]*x[(j+1)%6]*0.3
						}
						if r.Float64() < 1/(1+math.Exp(-score)) {
							c.Y[i] = 1
						}
					}
					if !yield(c, nil) {
						return
					}
				}
			}
		}
	}
	return d
}

// One model of a million rows, on one machine and as two: the area under the curve
// is the same within 0.002.
func BenchmarkMillion(b *testing.B) {
	d, p := million(), params(100)
	p.NumLeaves, p.MinDataInLeaf = 31, 20
	var one float64
	for _, machines := range []int{1, 2} {
		b.Run(fmt.Sprintf("machines=%d", machines), func(b *testing.B) {
			pool, o := newPool(b, 2), lightgbm.Options{Threads: 2}
			for b.Loop() {
				var r *lightgbm.Result
				var err error
				if machines == 1 {
					r, err = pool.Train(b.Context(), p, o, d)
				} else {
					r, err = pool.TrainTogether(b.Context(), machines, nil, p, o, d)
				}
				if err != nil {
					b.Fatal(err)
				}
				auc := r.History[r.Iterations-1].AUC
				b.ReportMetric(auc, "AUC")
				if machines == 1 {
					one = auc
				} else if one != 0 {
					b.ReportMetric(auc-one, "AUC-difference")
					if math.Abs(auc-one) > 0.002 {
						b.Errorf("AUC %v on %d machines, %v on one", auc, machines, one)
					}
				}
			}
		})
	}
}
