package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/asfotec/churn/pkg/churn"
)

const (
	// MaxText is the most bytes that a key, a category or a number may have.
	MaxText = 1 << 10
	// maxHeader is the most columns that a file may have.
	maxHeader = 10_000
	// maxShown is how much of a value a message shows.
	maxShown = 60
	// maxMissing is how many missing columns a message names.
	maxMissing = 20
)

// Value is what a row holds in one column of the spec.
type Value struct {
	Text    string  // of a categorical column, trimmed; only valid until the next row
	Number  float64 // of a numeric column
	Missing bool    // the field was blank
}

// Row is one row of the data.
type Row struct {
	Line     int    // physical line on which it begins, from 1
	Key      string // only valid until the next row
	Positive bool
	Part     Part
	Values   []Value // in the spec's order of columns
}

// Reader reads the rows of a CSV file, in constant memory. Every error is
// Invalid and says which line, byte of the line (both from 1) and column is
// wrong, but for errors of the underlying reader, whose kind is passed on.
type Reader struct {
	spec   *Spec
	split  Split
	csv    *csv.Reader
	clean  *cleaner
	header []string
	key    int   // field of the key
	target int   // field of the target
	fields []int // field of each column of the spec
	last   int   // line on which the newest record ends
	rows   int64
	counts [Parts][2]int64 // by part and class
}

// NewReader reads the header and returns the reader of the rows.
func NewReader(r io.Reader, spec *Spec, split Split) (*Reader, error) {
	const op = "dataset.NewReader"
	clean := newCleaner(r)
	d := &Reader{spec: spec, split: split, clean: clean, csv: csv.NewReader(clean)}
	d.csv.FieldsPerRecord = -1 // checked here, with a message for people
	record, err := d.record()
	if errors.Is(err, io.EOF) {
		return nil, churn.Errorf(op, churn.Invalid, "line 1: the file is empty: it must have a header line with the columns of the spec %s", spec.Name)
	}
	if err != nil {
		return nil, d.fail(op, record, err)
	}
	if err := d.readHeader(record); err != nil {
		line, _ := d.csv.FieldPos(0)
		return nil, churn.Errorf(op, churn.Invalid, "line %d: %w", line, err)
	}
	d.csv.ReuseRecord = true
	return d, nil
}

// readHeader finds the columns of the spec among the header's.
func (d *Reader) readHeader(record []string) error {
	if len(record) > maxHeader {
		return fmt.Errorf("the header has %d columns; at most %d are allowed", len(record), maxHeader)
	}
	at := make(map[string]int, len(record))
	for i, name := range record {
		name = strings.TrimSpace(name)
		if !utf8.ValidString(name) {
			return fmt.Errorf("the name of column %d is not UTF-8: save the file as UTF-8", i+1)
		}
		if first, twice := at[fold(name)]; twice {
			return fmt.Errorf("column %s is there twice, as column %d and column %d (names are matched without regard to case)", quote(name), first+1, i+1)
		}
		at[fold(name)] = i
		d.header = append(d.header, name)
	}
	var missing []string
	find := func(name string) int {
		i, ok := at[fold(name)]
		if !ok {
			missing = append(missing, name)
		}
		return i
	}
	d.key, d.target = find(d.spec.Key), find(d.spec.Target.Column)
	for _, c := range d.spec.Columns {
		d.fields = append(d.fields, find(c.Name))
	}
	if len(missing) > 0 {
		return fmt.Errorf("the header lacks the column%s %s, which the spec %s names: add what is missing, or give another spec",
			plural(len(missing)), list(missing), d.spec.Name)
	}
	return nil
}

// Next reads the next row into row, or returns io.EOF after the last.
func (d *Reader) Next(row *Row) error {
	const op = "dataset.Next"
	record, err := d.record()
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if err != nil {
		return d.fail(op, record, err)
	}
	row.Line, _ = d.csv.FieldPos(0)
	if err := d.checkForm(op, record); err != nil {
		return err
	}
	if row.Key, err = parseKey(record[d.key]); err != nil {
		return d.wrong(op, d.key, err)
	}
	if row.Positive, err = d.label(record[d.target]); err != nil {
		return d.wrong(op, d.target, err)
	}
	row.Part = d.split.Of(row.Key)
	row.Values = row.Values[:0]
	for i, c := range d.spec.Columns {
		v, err := c.Parse(record[d.fields[i]])
		if err != nil {
			return d.wrong(op, d.fields[i], err)
		}
		row.Values = append(row.Values, v)
	}
	d.rows++
	d.counts[row.Part][class(row.Positive)]++
	return nil
}

// record reads the next record and notes where it ends.
func (d *Reader) record() ([]string, error) {
	record, err := d.csv.Read()
	if err == nil {
		field := len(record) - 1
		line, _ := d.csv.FieldPos(field)
		d.last = line + strings.Count(record[field], "\n")
	}
	return record, err
}

// checkForm holds a record against the header.
func (d *Reader) checkForm(op string, record []string) error {
	got, want := len(record), len(d.header)
	switch {
	case got < want:
		return churn.Errorf(op, churn.Invalid, "line %d: the row ends before column %s, with %d of %d fields: is a comma or a quote missing?",
			d.last, d.name(got), got, want)
	case got > want:
		line, at := d.csv.FieldPos(want)
		return churn.Errorf(op, churn.Invalid, "line %d, byte %d: the row goes on behind the last column, %s, with %d fields for %d: is there a comma too many, or one in a value without quotes?",
			line, at, d.name(want-1), got, want)
	}
	for i, field := range record {
		if !utf8.ValidString(field) {
			return d.wrong(op, i, errors.New("is not UTF-8: save the file as UTF-8"))
		}
	}
	return nil
}

// parseKey reads the text of the key. Its error goes on a sentence that begins
// with the column's name, as those of label and Column.Parse do.
func parseKey(field string) (string, error) {
	key := strings.TrimSpace(field)
	if key == "" {
		return "", errors.New("is blank: it must identify the row, since it decides the row's split")
	}
	return key, checkLength(key)
}

func (d *Reader) label(field string) (positive bool, err error) {
	switch t := d.spec.Target; strings.TrimSpace(field) {
	case t.Positive:
		return true, nil
	case t.Negative:
		return false, nil
	default:
		return false, fmt.Errorf("is %s; it must be %q or %q", quote(field), t.Positive, t.Negative)
	}
}

// Parse reads the text of a field of the column, as the spec says. Its error
// goes on a sentence that begins with the column's name.
func (c Column) Parse(field string) (Value, error) {
	text := strings.TrimSpace(field)
	if text == "" && c.Missing == MissingError {
		return Value{}, fmt.Errorf("is blank: fill it in, or say in the spec what a blank means (missing: …)")
	}
	if err := checkLength(text); err != nil {
		return Value{}, err
	}
	if c.Kind == Categorical {
		return Value{Text: text, Missing: text == ""}, nil
	}
	if text == "" {
		return Value{Missing: true}, nil
	}
	v, err := ParseNumber(text)
	if err == nil {
		err = c.Check(v)
	}
	if err != nil {
		return Value{}, fmt.Errorf("is %s, which %w", quote(text), err)
	}
	return Value{Number: v}, nil
}

func checkLength(text string) error {
	if len(text) > MaxText {
		return fmt.Errorf("is %s; at most %d bytes are allowed: is this the right column, or is a quote out of place?", quote(text), MaxText)
	}
	return nil
}

// wrong is an error in a field of the record at hand.
func (d *Reader) wrong(op string, field int, err error) error {
	line, at := d.csv.FieldPos(field)
	return churn.Errorf(op, churn.Invalid, "line %d, byte %d, column %s: the value %w", line, at, d.name(field), err)
}

// fail is an error of the file's form, or of reading it. record is what was
// read of the record before it.
func (d *Reader) fail(op string, record []string, err error) error {
	var syntax *csv.ParseError
	var form *malformed
	switch {
	case errors.As(err, &syntax) && errors.Is(syntax.Err, csv.ErrQuote):
		return churn.Errorf(op, churn.Invalid, "line %d, byte %d, column %s: a quote is out of place or not closed (the record begins on line %d); write a quote inside a quoted field twice",
			syntax.Line, syntax.Column, d.name(len(record)), syntax.StartLine)
	case errors.As(err, &syntax) && errors.Is(syntax.Err, csv.ErrBareQuote):
		return churn.Errorf(op, churn.Invalid, "line %d, byte %d, column %s: a quote inside a field that is not quoted; put the field in quotes and write the quote twice",
			syntax.Line, syntax.Column, d.name(len(record)))
	case errors.As(err, &form):
		return churn.Errorf(op, churn.Invalid, "line %d, byte %d, column %s: %w", form.line, form.byte, d.name(form.field), form)
	default:
		return churn.Errorf(op, churn.KindOf(err), "the file cannot be read on after line %d: %w", d.last, err)
	}
}

// name returns the name of the column that a field belongs to, or its number
// before the header is known and behind the last column.
func (d *Reader) name(field int) string {
	if field >= len(d.header) || d.header[field] == "" {
		return fmt.Sprintf("number %d", field+1)
	}
	if name := d.header[field]; len(name) <= maxShown {
		return name
	}
	return quote(d.header[field])
}

// Close looks at the file as a whole, after the last row: it must have rows,
// and each part both classes.
func (d *Reader) Close() error {
	const op = "dataset.Close"
	if d.rows == 0 {
		return churn.Errorf(op, churn.Invalid, "line %d: the file ends after its header: there are no rows", d.last)
	}
	t := d.spec.Target
	var all [2]int64
	for _, c := range d.counts {
		all[0], all[1] = all[0]+c[0], all[1]+c[1]
	}
	for i, label := range []string{t.Negative, t.Positive} {
		if all[i] == 0 {
			return churn.Errorf(op, churn.Invalid, "column %s: no row up to line %d is %q, and one class cannot be learned: both %q and %q are needed",
				t.Column, d.last, label, t.Positive, t.Negative)
		}
	}
	for part, counts := range d.counts {
		for i, label := range []string{t.Negative, t.Positive} {
			if counts[i] == 0 {
				return churn.Errorf(op, churn.Invalid, "column %s: none of the %d rows with %q fell into the %s split: give more rows, a larger share, or another salt",
					t.Column, all[i], label, Part(part))
			}
		}
	}
	return nil
}

// Counts returns how many rows each part has, by class: negative, positive.
func (d *Reader) Counts() [Parts][2]int64 { return d.counts }

// Extra returns the file's columns that the spec does not name, sorted.
func (d *Reader) Extra() []string {
	known := append([]int{d.key, d.target}, d.fields...)
	extra := []string{}
	for i, name := range d.header {
		if !slices.Contains(known, i) {
			extra = append(extra, name)
		}
	}
	slices.Sort(extra)
	return extra
}

// BOM reports whether the file began with a byte order mark.
func (d *Reader) BOM() bool { return d.clean.hasBOM }

// LineEnd returns how the file's lines ended, as far as it was read.
func (d *Reader) LineEnd() LineEnd { return d.clean.lineEnd() }

func class(positive bool) int {
	if positive {
		return 1
	}
	return 0
}

// quote shows a value in a message: not all of a long one.
func quote(s string) string {
	if len(s) > maxShown {
		return fmt.Sprintf("%.*q… (%d bytes)", maxShown, s, len(s))
	}
	return fmt.Sprintf("%q", s)
}

// list shows names in a message: not all of many.
func list(names []string) string {
	if more := len(names) - maxMissing; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxMissing], ", "), more)
	}
	return strings.Join(names, ", ")
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
