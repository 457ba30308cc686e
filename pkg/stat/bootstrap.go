package stat

import (
	"context"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat"

	"github.com/asfotec/churn/pkg/churn"
)

// Bootstrap says how to resample: rows with replacement, all classes together,
// so that the intervals include the chance in the class balance. A draw
// without one of the classes, for which there is no AUC, is drawn again.
type Bootstrap struct {
	Replicates int
	Seed       uint64
	Threshold  float64
}

// Draw returns the metrics of each sample on each replicate, as
// [sample][replicate]. All samples must be scores of the same rows, and a
// replicate has the same rows of each, so differences are paired.
//
// Replicate r is drawn from the PCG stream (Seed, r) of its own: the result is
// the same for any number of CPUs. It returns ctx's error if ctx ends first.
func (b Bootstrap) Draw(ctx context.Context, samples ...*Sample) ([][]Metrics, error) {
	const op = "stat.Draw"
	if len(samples) == 0 || b.Replicates < 1 {
		return nil, churn.Errorf(op, churn.Invalid, "%d replicates of %d samples", b.Replicates, len(samples))
	}
	for _, s := range samples[1:] {
		if err := samePopulation(op, samples[0], s); err != nil {
			return nil, err
		}
	}
	out := make([][]Metrics, len(samples))
	cuts := make([]int, len(samples))
	for i, s := range samples {
		out[i] = make([]Metrics, b.Replicates)
		cuts[i] = s.cut(b.Threshold)
	}
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), b.Replicates) {
		group.Go(func() error {
			counts := make([]uint32, samples[0].Len())
			for {
				r := int(next.Add(1)) - 1
				if r >= b.Replicates {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				positives := draw(newStream(b.Seed, r), samples[0], counts)
				for i, s := range samples {
					out[i][r] = s.metrics(counts, positives, cuts[i])
				}
			}
		})
	}
	return out, group.Wait()
}

func newStream(seed uint64, replicate int) *rand.PCG { return rand.NewPCG(seed, uint64(replicate)) }

// draw fills counts with how often each row is drawn in Len draws with
// replacement, and returns how many of the draws are positive rows.
func draw(pcg *rand.PCG, s *Sample, counts []uint32) int64 {
	n := uint64(len(counts))
	for {
		clear(counts)
		var positives int64
		for range n {
			// Multiply and shift: the bias is at most n/2⁶⁴.
			row, _ := bits.Mul64(pcg.Uint64(), n)
			counts[row]++
			if s.labels[row] {
				positives++
			}
		}
		if positives > 0 && positives < int64(n) {
			return positives
		}
	}
}

// Intervals returns the percentile interval of each metric.
func Intervals(replicates []Metrics, level float64) [metrics]Interval {
	var out [metrics]Interval
	values := make([]float64, len(replicates))
	for m := range out {
		for r, v := range replicates {
			values[r] = v[m]
		}
		out[m] = Percentile(values, level)
	}
	return out
}

// Errors returns the standard error of each metric: the standard deviation of the
// replicates.
func Errors(replicates []Metrics) Metrics {
	var out Metrics
	values := make([]float64, len(replicates))
	for m := range out {
		for r, v := range replicates {
			values[r] = v[m]
		}
		out[m] = stat.StdDev(values, nil)
	}
	return out
}

// Differences returns a - b, replicate by replicate.
func Differences(a, b []Metrics) []Metrics {
	out := make([]Metrics, len(a))
	for r := range out {
		out[r] = a[r].Minus(b[r])
	}
	return out
}
