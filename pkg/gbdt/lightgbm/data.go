package lightgbm

import (
	"iter"
	"math"

	"github.com/asfotec/churn/pkg/churn"
)

// Set says what rows are for.
type Set int

// The sets. A hold-out is none of LightGBM's business.
const (
	Train      Set = iota
	Validation     // for the metrics and early stopping
)

func (s Set) String() string { return [...]string{"training", "validation"}[s] }

// Chunk is some rows of one set.
type Chunk struct {
	Set Set
	X   []float64 // rows × features, row-major, all finite
	Y   []float32 // label of each row: 0 or 1
}

// Data is what a model is trained on. It is streamed, twice: chunks may be of
// any size, and memory holds one at a time and LightGBM's own binned copy.
type Data struct {
	Features []string // names, in the order of X's columns
	Rows     [2]int   // rows of each Set

	// Chunks yields all rows, the same in the same order whenever it is called.
	// A chunk is valid until the next.
	Chunks func() iter.Seq2[Chunk, error]
}

// maxRows is LightGBM's limit: it counts rows in 32 bits.
const maxRows = math.MaxInt32

// validate looks at what was announced. Of several members only the first has
// validation rows.
func (d Data) validate(m *Members) error {
	const op = "lightgbm.Train"
	if len(d.Features) == 0 {
		return churn.Errorf(op, churn.Invalid, "the data has no features")
	}
	for set, n := range d.Rows {
		if n == 0 && !m.has(Set(set)) {
			continue
		}
		if n < 1 {
			return churn.Errorf(op, churn.Invalid, "the %v split has no rows: more data, another split or another salt is needed", Set(set))
		}
		if n > maxRows {
			return churn.Errorf(op, churn.Invalid, "the %v split has %d rows; at most %d are allowed", Set(set), n, maxRows)
		}
	}
	return nil
}

// Checked yields the chunks, and an Invalid error where they are not what Train
// takes.
func (d Data) Checked() iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		t := tally{data: d}
		for c, err := range d.Chunks() {
			if err == nil {
				_, err = t.add(c)
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
		if err := t.done(); err != nil {
			yield(Chunk{}, err)
		}
	}
}

// tally checks chunks as they pass and counts rows and positives of each set.
// LightGBM would take any label above 0 for positive and bin any number.
type tally struct {
	data      Data
	part      bool // of the rows: they may be of one class
	rows      [2]int
	positives [2]int
}

// add checks the chunk and returns the number of its first row in its set.
func (t *tally) add(c Chunk) (start int, err error) {
	const op = "lightgbm.Train"
	width := len(t.data.Features)
	if c.Set != Train && c.Set != Validation || len(c.X) != len(c.Y)*width {
		return 0, churn.Errorf(op, churn.Internal, "a chunk of set %d has %d labels and %d values, at %d features", int(c.Set), len(c.Y), len(c.X), width)
	}
	start = t.rows[c.Set]
	for i, y := range c.Y {
		if y != 0 && y != 1 {
			return 0, churn.Errorf(op, churn.Invalid, "%v row %d has label %v: it must be 0 or 1", c.Set, start+i, y)
		}
		t.positives[c.Set] += int(y)
	}
	for i, x := range c.X {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return 0, churn.Errorf(op, churn.Invalid, "%v row %d has %v in feature %q: it must be finite", c.Set, start+i/width, x, t.data.Features[i%width])
		}
	}
	t.rows[c.Set] += len(c.Y)
	if announced := t.data.Rows[c.Set]; t.rows[c.Set] > announced {
		return 0, churn.Errorf(op, churn.Invalid, "the %v split has more than the %d rows that were announced", c.Set, announced)
	}
	return start, nil
}

// done checks what can be known only when all rows have been seen.
func (t *tally) done() error {
	const op = "lightgbm.Train"
	for _, set := range []Set{Train, Validation} {
		if announced := t.data.Rows[set]; t.rows[set] < announced {
			return churn.Errorf(op, churn.Invalid, "the %v split has %d rows, fewer than the %d that were announced", set, t.rows[set], announced)
		}
		if p := t.positives[set]; !t.part && (p == 0 || p == t.rows[set]) {
			return churn.Errorf(op, churn.Invalid,
				"all %d rows of the %v split are of one class: more data, another split or another salt is needed", t.rows[set], set)
		}
	}
	return nil
}
