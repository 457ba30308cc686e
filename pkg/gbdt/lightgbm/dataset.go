package lightgbm

import (
	"context"
	"runtime"
	"unsafe"

	"github.com/asfotec/churn/pkg/churn"
)

// zeroThreshold is LightGBM's kZeroThreshold: what is nearer to zero is zero.
const zeroThreshold = float64(float32(1e-35))

// sample is some training rows, from which LightGBM finds the bins: for each
// column the values that are not zero, and the sampled row of each.
type sample struct {
	size    int32
	values  [][]float64
	rows    [][]int32
	indices []int32 // of all sampled rows, ascending
}

// sample reads the rows that LightGBM picks.
func (s *session) sample(ctx context.Context) (*sample, error) {
	indices, err := s.pickRows()
	if err != nil {
		return nil, err
	}
	width := len(s.data.Features)
	out := &sample{size: int32(len(indices)), values: make([][]float64, width), rows: make([][]int32, width), indices: indices}
	t := tally{data: s.data, part: s.options.Members != nil}
	next := 0
	for c, err := range s.data.Chunks() {
		if err := firstError(err, ctx.Err()); err != nil {
			return nil, err
		}
		start, err := t.add(c)
		if err != nil {
			return nil, err
		}
		for c.Set == Train && next < len(indices) && int(indices[next]) < start+len(c.Y) {
			i := (int(indices[next]) - start) * width
			out.add(int32(next), c.X[i:i+width])
			next++
		}
	}
	return out, t.done()
}

func (p *sample) add(row int32, x []float64) {
	for column, v := range x {
		if v > zeroThreshold || v < -zeroThreshold {
			p.values[column] = append(p.values[column], v)
			p.rows[column] = append(p.rows[column], row)
		}
	}
}

// pickRows asks LightGBM which training rows to sample.
func (s *session) pickRows() ([]int32, error) {
	rows, params := int32(s.data.Rows[Train]), s.parameters()
	var n int32
	if err := s.check("SampleCount", s.sampleCount(rows, params, &n)); err != nil {
		return nil, err
	}
	out := make([]int32, n)
	if err := s.check("SampleIndices", s.sampleIndices(rows, params, &out[0], &n)); err != nil {
		return nil, err
	}
	return out[:n], nil
}

// datasets makes LightGBM's binned copies of the training and validation rows.
func (s *session) datasets(ctx context.Context) error {
	p, err := s.sample(ctx)
	if err != nil {
		return err
	}
	if err := s.createTrain(p); err != nil {
		return err
	}
	if !s.judges() {
		return s.push(ctx)
	}
	rc := s.datasetByReference(s.sets[Train], int64(s.data.Rows[Validation]), &s.sets[Validation])
	if err := s.check("CreateByReference", rc); err != nil {
		return err
	}
	return s.push(ctx)
}

// createTrain makes the empty training set with its bins and feature names.
func (s *session) createTrain(p *sample) error {
	width := len(p.values)
	values, rows, counts := make([]unsafe.Pointer, width), make([]unsafe.Pointer, width), make([]int32, width)
	var pin runtime.Pinner // LightGBM follows these pointers during the call
	defer pin.Unpin()
	for i := range width {
		counts[i] = int32(len(p.values[i]))
		if counts[i] > 0 {
			values[i], rows[i] = unsafe.Pointer(&p.values[i][0]), unsafe.Pointer(&p.rows[i][0])
			pin.Pin(values[i])
			pin.Pin(rows[i])
		}
	}
	n := s.data.Rows[Train]
	rc := s.datasetFromSample(unsafe.Pointer(&values[0]), unsafe.Pointer(&rows[0]), int32(width), &counts[0],
		p.size, int32(n), int64(s.options.Members.rows(n)), s.parameters(), &s.sets[Train])
	runtime.KeepAlive(values)
	runtime.KeepAlive(rows)
	if err := s.check("CreateFromSample", rc); err != nil {
		return err
	}
	return s.setNames(FeatureNames(s.data.Features))
}

func (s *session) setNames(names []string) error {
	pointers := make([]unsafe.Pointer, len(names))
	var pin runtime.Pinner
	defer pin.Unpin()
	for i, name := range names {
		b := append([]byte(name), 0)
		pointers[i] = unsafe.Pointer(&b[0])
		pin.Pin(pointers[i])
	}
	rc := s.datasetSetNames(s.sets[Train], unsafe.Pointer(&pointers[0]), int32(len(names)))
	runtime.KeepAlive(pointers)
	return s.check("SetFeatureNames", rc)
}

// push streams all rows into the two sets, keeps the first validation rows for
// the predictions, and sets the labels.
func (s *session) push(ctx context.Context) error {
	width := len(s.data.Features)
	labels := [2][]float32{make([]float32, 0, s.data.Rows[Train]), make([]float32, 0, s.data.Rows[Validation])}
	t := tally{data: s.data, part: s.options.Members != nil}
	for c, err := range s.data.Chunks() {
		if err := firstError(err, ctx.Err()); err != nil {
			return err
		}
		start, err := t.add(c)
		if err != nil {
			return err
		}
		if len(c.Y) == 0 {
			continue
		}
		rc := s.datasetPush(s.sets[c.Set], &c.X[0], typeFloat64, int32(len(c.Y)), int32(width), int32(start))
		if err := s.check("PushRows", rc); err != nil {
			return err
		}
		labels[c.Set] = append(labels[c.Set], c.Y...)
		if c.Set == Validation {
			keep := min(len(c.X), max(s.options.ScoreRows, s.options.ContributionRows)*width-len(s.reference))
			s.reference = append(s.reference, c.X[:max(0, keep)]...)
		}
	}
	if err := t.done(); err != nil {
		return err
	}
	for set, y := range labels {
		if len(y) == 0 {
			continue
		}
		rc := s.datasetSetField(s.sets[set], "label", &y[0], int32(len(y)), typeFloat32)
		if err := s.check("SetLabel", rc); err != nil {
			return err
		}
	}
	s.labels = labels[Validation]
	return nil
}

func firstError(read, cancelled error) error {
	if read != nil {
		return read
	}
	return churn.E("lightgbm.Train", churn.Transient, cancelled)
}
