package profile

import (
	"crypto/sha256"
	"math"
	"slices"
	"strings"

	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
)

const (
	// maxKeys is how many keys are remembered, of about 40 bytes each.
	maxKeys = 1 << 20
	// maxRepeats is how many rows with a key that was there before are named.
	maxRepeats = 10
	// maxCategories is how many categories of a column are counted one by one.
	maxCategories = feature.MaxCategories
	// maxCategoryBytes bounds the categories of all columns together.
	maxCategoryBytes = 16 << 20
	// categoryCost is what a category takes beside its name.
	categoryCost = 64
)

// Profiler takes rows in.
type Profiler struct {
	spec       *dataset.Spec
	keys       map[[16]byte]int // line of the first row with the key, by its digest: a key may be long
	duplicates Duplicates
	columns    []column
	room       int // bytes left for categories
}

type column struct {
	blanks, other int64
	categories    map[string]int64
	moments       feature.Moments
	min, max      float64
	histogram     *counter
}

// New returns a profiler of the spec's columns.
func New(spec *dataset.Spec) *Profiler {
	p := &Profiler{
		spec: spec, keys: map[[16]byte]int{}, duplicates: Duplicates{Repeats: []Repeat{}},
		columns: make([]column, len(spec.Columns)), room: maxCategoryBytes,
	}
	bins := min(maxBins, allBins/max(1, len(p.columns)))
	for i := range p.columns {
		p.columns[i] = column{categories: map[string]int64{}, min: math.Inf(1), max: math.Inf(-1), histogram: newCounter(bins)}
	}
	return p
}

// Add takes in a row, whose values are in the order of the spec's columns. It
// keeps nothing of it.
func (p *Profiler) Add(row *dataset.Row) {
	p.key(row.Key, row.Line)
	for i := range p.columns {
		c, v := &p.columns[i], row.Values[i]
		switch {
		case v.Missing:
			c.blanks++
		case p.spec.Columns[i].Kind == dataset.Numeric:
			c.number(v.Number)
		default:
			p.category(c, v.Text)
		}
	}
}

func (p *Profiler) key(key string, line int) {
	digest := sha256.Sum256([]byte(key))
	short := [16]byte(digest[:16])
	first, there := p.keys[short]
	switch {
	case there:
		p.duplicates.Rows++
		if len(p.duplicates.Repeats) < maxRepeats {
			p.duplicates.Repeats = append(p.duplicates.Repeats, Repeat{line, first})
		}
	case len(p.keys) < maxKeys:
		p.keys[short] = line
	}
}

func (c *column) number(v float64) {
	c.moments.Add(v)
	c.min, c.max = min(c.min, v), max(c.max, v)
	c.histogram.add(v)
}

func (p *Profiler) category(c *column, name string) {
	if _, known := c.categories[name]; !known {
		cost := len(name) + categoryCost
		if len(c.categories) == maxCategories || cost > p.room {
			c.other++
			return
		}
		p.room -= cost
		name = strings.Clone(name) // valid until the next row alone
	}
	c.categories[name]++
}

// Document returns the profile of the rows taken in, which must be all that r has
// read.
func (p *Profiler) Document(r *dataset.Reader) *Document {
	p.duplicates.Keys = int64(len(p.keys))
	d := &Document{
		Version: Version, Dataset: p.spec.Name, Rows: rowCounts(r.Counts()), Duplicates: p.duplicates,
		Extra: r.Extra(), LineEnds: r.LineEnd(), BOM: r.BOM(),
	}
	for i, c := range p.spec.Columns {
		d.Columns = append(d.Columns, p.columns[i].document(c))
	}
	return d
}

func rowCounts(counts [dataset.Parts][2]int64) map[string]Count {
	out := map[string]Count{}
	for part, name := range [dataset.Parts]string{dataset.Train: "train", dataset.Validation: "validation", dataset.Holdout: "holdout"} {
		c := Count{counts[part][0] + counts[part][1], counts[part][1]}
		out[name] = c
		out["all"] = Count{out["all"].Rows + c.Rows, out["all"].Positives + c.Positives}
	}
	return out
}

func (c *column) document(of dataset.Column) Column {
	out := Column{Name: of.Name, Kind: of.Kind, Blanks: c.blanks, Other: c.other}
	for name, rows := range c.categories {
		out.Categories = append(out.Categories, Category{name, rows})
	}
	slices.SortFunc(out.Categories, func(a, b Category) int { return strings.Compare(a.Name, b.Name) })
	if c.moments.Count() > 0 {
		out.Numbers = &Numbers{c.min, c.max, finite(c.moments.Mean()), finite(c.moments.Deviation()), c.histogram.histogram()}
	}
	return out
}
