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

var errTooLong = fmt.Errorf("the record is longer than %d bytes: is a quote not closed?", maxRecord)

// maxHeader is the most columns that a file may have.
const maxHeader = 10_000

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
// Invalid and says which line and column is wrong, but for errors of the
// underlying reader, which are passed on.
type Reader struct {
	spec   *Spec
	split  Split
	csv    *csv.Reader
	clean  *cleaner
	header []string
	key    int   // field of the key
	target int   // field of the target
	fields []int // field of each column of the spec
	line   int   // on which the next record begins, blank lines aside
	rows   int64
	counts [Parts][2]int64 // by part and class
}

// NewReader reads the header and returns the reader of the rows.
func NewReader(r io.Reader, spec *Spec, split Split) (*Reader, error) {
	const op = "dataset.NewReader"
	clean, err := newCleaner(r)
	if err != nil {
		return nil, churn.E(op, churn.KindOf(err), err)
	}
	d := &Reader{spec: spec, split: split, clean: clean, csv: csv.NewReader(clean), line: 1}
	d.csv.FieldsPerRecord = -1 // checked here, with a message for people
	record, err := d.record()
	if errors.Is(err, io.EOF) {
		return nil, churn.Errorf(op, churn.Invalid, "the file is empty: it must have a header line with the columns of the spec %s", spec.Name)
	}
	if err != nil {
		return nil, d.fail(op, err)
	}
	if err := d.readHeader(record); err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "line 1: %w", err)
	}
	d.csv.ReuseRecord = true
	return d, nil
}

// readHeader finds the columns of the spec among the header's.
func (d *Reader) readHeader(record []string) error {
	if len(record) > maxHeader {
		return fmt.Errorf("the header has %d columns; at most %d are allowed", len(record), maxHeader)
	}
	at := map[string]int{}
	for i, name := range record {
		name = strings.TrimSpace(name)
		if !utf8.ValidString(name) {
			return fmt.Errorf("the name of column %d is not UTF-8: save the file as UTF-8", i+1)
		}
		if first, twice := at[fold(name)]; twice {
			return fmt.Errorf("column %q is there twice, as column %d and column %d (names are matched without regard to case)", name, first+1, i+1)
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
		return fmt.Errorf("the header lacks the column%s %s, which the spec %s names: add them, or give another spec",
			plural(len(missing)), strings.Join(missing, ", "), d.spec.Name)
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
		return d.fail(op, err)
	}
	row.Line, _ = d.csv.FieldPos(0)
	if len(record) != len(d.header) {
		return churn.Errorf(op, churn.Invalid, "line %d: the row has %d fields, the header has %d: is a comma or a quote missing or too many?",
			row.Line, len(record), len(d.header))
	}
	for i, field := range record {
		if !utf8.ValidString(field) {
			return d.wrong(op, i, "is not UTF-8: save the file as UTF-8")
		}
	}
	row.Key = strings.TrimSpace(record[d.key])
	if row.Key == "" {
		return d.wrong(op, d.key, "is blank: it must identify the row, since it decides the row's split")
	}
	if row.Positive, err = d.label(record[d.target]); err != nil {
		return d.wrong(op, d.target, err.Error())
	}
	row.Part = d.split.Of(row.Key)
	row.Values = row.Values[:0]
	for i, c := range d.spec.Columns {
		v, err := c.Parse(record[d.fields[i]])
		if err != nil {
			return d.wrong(op, d.fields[i], err.Error())
		}
		row.Values = append(row.Values, v)
	}
	d.rows++
	d.counts[row.Part][class(row.Positive)]++
	return nil
}

// record reads the next record and notes where it and the one after it begin.
func (d *Reader) record() ([]string, error) {
	d.clean.nextRecord()
	record, err := d.csv.Read()
	if err == nil {
		last := len(record) - 1
		line, _ := d.csv.FieldPos(last)
		d.line = line + strings.Count(record[last], "\n") + 1
	}
	return record, err
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

// wrong is an error in a field of the record at hand.
func (d *Reader) wrong(op string, field int, what string) error {
	line, column := d.csv.FieldPos(field)
	return churn.Errorf(op, churn.Invalid, "line %d, character %d, column %s: the value %s", line, column, d.header[field], what)
}

// fail is an error of the file's form.
func (d *Reader) fail(op string, err error) error {
	var syntax *csv.ParseError
	switch {
	case errors.As(err, &syntax) && errors.Is(syntax.Err, csv.ErrQuote):
		return churn.Errorf(op, churn.Invalid, "line %d, character %d: a quote is out of place or not closed (the record begins on line %d); write a quote inside a quoted field twice",
			syntax.Line, syntax.Column, syntax.StartLine)
	case errors.As(err, &syntax) && errors.Is(syntax.Err, csv.ErrBareQuote):
		return churn.Errorf(op, churn.Invalid, "line %d, character %d: a quote inside a field that is not quoted; put the field in quotes and write the quote twice",
			syntax.Line, syntax.Column)
	case errors.Is(err, errTooLong):
		return churn.Errorf(op, churn.Invalid, "line %d: %w", d.line, errTooLong)
	case d.clean.err == err: //nolint:errorlint // the cleaner's own error, which names the line
		if kind := churn.KindOf(err); kind != churn.Internal {
			return churn.E(op, kind, err)
		}
		return churn.E(op, churn.Invalid, err)
	default:
		return churn.Errorf(op, churn.Invalid, "line %d: %w", d.line, err)
	}
}

// Close looks at the file as a whole, after the last row: it must have rows,
// and each part both classes.
func (d *Reader) Close() error {
	const op = "dataset.Close"
	if d.rows == 0 {
		return churn.Errorf(op, churn.Invalid, "line %d: the file has a header and no rows", d.line)
	}
	t := d.spec.Target
	var all [2]int64
	for _, c := range d.counts {
		all[0], all[1] = all[0]+c[0], all[1]+c[1]
	}
	for i, label := range []string{t.Negative, t.Positive} {
		if all[i] == 0 {
			return churn.Errorf(op, churn.Invalid, "column %s: no row up to line %d is %q, and one class cannot be learned: both %q and %q are needed",
				t.Column, d.line-1, label, t.Positive, t.Negative)
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
	if len(s) > 60 {
		return fmt.Sprintf("%.60q… (%d bytes)", s, len(s))
	}
	return fmt.Sprintf("%q", s)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
