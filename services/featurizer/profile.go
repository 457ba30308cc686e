package featurizer

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
)

// DocumentVersion is the version of profile.json's shape. A change that a reader
// would stumble over is a new version.
const DocumentVersion = 1

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

// Document is profile.json: what the data looks like, before the preprocessing.
type Document struct {
	Version    int              `json:"version"`
	Dataset    string           `json:"dataset"` // the spec's name
	Rows       map[string]Count `json:"rows"`    // by split: holdout, train, validation; and all
	Duplicates Duplicates       `json:"duplicates"`
	Columns    []Column         `json:"columns"` // in the spec's order
	Extra      []string         `json:"extra"`   // columns of the file that the spec does not name
	LineEnds   dataset.LineEnd  `json:"line_ends"`
	BOM        bool             `json:"byte_order_mark"`
}

// Duplicates are rows whose key an earlier row has. They fall into the same
// split as that, so nothing leaks from one to another; but if they are there by
// mistake, each counts as if there were one more customer.
type Duplicates struct {
	Rows    int64    `json:"rows"`
	Keys    int64    `json:"keys"`    // distinct keys that rows were compared with: the file's first 1,048,576
	Repeats []Repeat `json:"repeats"` // the first ten
}

// Repeat is a row whose key was there before, by the lines on which they begin.
type Repeat struct {
	Line  int `json:"line"`
	First int `json:"first"`
}

// Count is a number of rows.
type Count struct {
	Rows      int64 `json:"rows"`
	Positives int64 `json:"positives"`
}

// Column is what one column holds, over all rows.
type Column struct {
	Name   string       `json:"name"`
	Kind   dataset.Kind `json:"kind"`
	Blanks int64        `json:"blanks"`
	// Of a categorical column.
	Categories []Category `json:"categories,omitempty"` // by name
	Other      int64      `json:"other,omitempty"`      // rows of categories beyond the number that are counted
	// Of a numeric column, blanks aside; absent if all are blank.
	Numbers *Numbers `json:"numbers,omitempty"`
}

// Category is one category and how many rows have it.
type Category struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

// Numbers is the distribution of a numeric column.
type Numbers struct {
	Min       float64  `json:"min"`
	Max       float64  `json:"max"`
	Mean      *float64 `json:"mean"`      // null if it is too large
	Deviation *float64 `json:"deviation"` // of the population; null if it is too large
}

// profiler takes rows in.
type profiler struct {
	spec       *dataset.Spec
	keys       map[[16]byte]int // line of the first row with the key, by its digest: a key may be long
	duplicates Duplicates
	columns    []columnProfile
	room       int // bytes left for categories
}

type columnProfile struct {
	blanks, other int64
	categories    map[string]int64
	moments       feature.Moments
	min, max      float64
}

func newProfiler(spec *dataset.Spec) *profiler {
	p := &profiler{
		spec: spec, keys: map[[16]byte]int{}, duplicates: Duplicates{Repeats: []Repeat{}},
		columns: make([]columnProfile, len(spec.Columns)), room: maxCategoryBytes,
	}
	for i := range p.columns {
		p.columns[i].categories = map[string]int64{}
		p.columns[i].min, p.columns[i].max = math.Inf(1), math.Inf(-1)
	}
	return p
}

func (p *profiler) add(row *dataset.Row) {
	p.key(row.Key, row.Line)
	for i := range p.columns {
		c, v := &p.columns[i], row.Values[i]
		switch {
		case v.Missing:
			c.blanks++
		case p.spec.Columns[i].Kind == dataset.Numeric:
			c.moments.Add(v.Number)
			c.min, c.max = min(c.min, v.Number), max(c.max, v.Number)
		default:
			p.category(c, v.Text)
		}
	}
}

func (p *profiler) key(key string, line int) {
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

func (p *profiler) category(c *columnProfile, name string) {
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

func (p *profiler) document(r *dataset.Reader) *Document {
	p.duplicates.Keys = int64(len(p.keys))
	d := &Document{
		Version: DocumentVersion, Dataset: p.spec.Name, Rows: rowCounts(r.Counts()), Duplicates: p.duplicates,
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

func (c *columnProfile) document(of dataset.Column) Column {
	out := Column{Name: of.Name, Kind: of.Kind, Blanks: c.blanks, Other: c.other}
	for name, rows := range c.categories {
		out.Categories = append(out.Categories, Category{name, rows})
	}
	slices.SortFunc(out.Categories, func(a, b Category) int { return strings.Compare(a.Name, b.Name) })
	if c.moments.Count() > 0 {
		out.Numbers = &Numbers{c.min, c.max, finite(c.moments.Mean()), finite(c.moments.Deviation())}
	}
	return out
}

// finite returns v as JSON has it: nothing if it is no finite number.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// encode returns v as indented JSON with a final newline.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(v)
	return out.Bytes(), churn.E("featurizer.encode", churn.Internal, err)
}
