package dataset_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/asfotec/churn/data"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/soak"
)

// small is a spec with a column of each kind.
const small = `
version: 1
name: small
model: m
experiment: e
key: id
target: {column: y, positive: "yes", negative: "no"}
columns:
  - {name: c, kind: categorical}
  - {name: n, kind: numeric, min: 0, max: 100, missing: zero}
split: {test: 0.3, validation: 0.3}
`

func parseSpec(t testing.TB, text string) *dataset.Spec {
	t.Helper()
	spec, err := dataset.ParseSpec([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// telco opens the real file where it is there, and the generated one otherwise.
func telco(t testing.TB) *os.File {
	t.Helper()
	for _, path := range []string{"../../../shared/data/telco_churn.csv", "../../data/telco_churn.csv"} {
		if file, err := os.Open(filepath.FromSlash(path)); err == nil {
			t.Cleanup(func() { _ = file.Close() })
			return file
		}
	}
	t.Fatal("data/telco_churn.csv is missing: make it with `go run ./cmd/generate -o telco_churn.csv` in data/")
	return nil
}

// readAll reads all rows, and the end. Row.Values are copies.
func readAll(r io.Reader, spec *dataset.Spec) ([]dataset.Row, *dataset.Reader, error) {
	in, err := dataset.NewReader(r, spec, spec.Split)
	if err != nil {
		return nil, nil, err
	}
	var rows []dataset.Row
	for {
		var row dataset.Row
		if err := in.Next(&row); errors.Is(err, io.EOF) {
			return rows, in, in.Close()
		} else if err != nil {
			return rows, in, err
		}
		rows = append(rows, row)
	}
}

// file is a file of the small spec with both classes in each split: 40 good rows
// and then the lines.
func file(lines ...string) string {
	var b strings.Builder
	b.WriteString("id,c,n,y\n")
	for i := range 40 {
		fmt.Fprintf(&b, "k%d,%s,%d,%s\n", i, []string{"a", "b"}[i%2], i, []string{"no", "yes"}[i/2%2])
	}
	b.WriteString(strings.Join(lines, "\n"))
	return b.String()
}

// goodRows is how many rows file has beside its lines; next is the line after.
const (
	goodRows = 40
	next     = goodRows + 2
)

func TestGoodFiles(t *testing.T) {
	crlf := strings.NewReplacer("\n", "\r\n")
	cr := strings.NewReplacer("\n", "\r")
	for _, test := range []struct {
		name, text string
		rows       int
		ends       dataset.LineEnd
		bom        bool
		extra      []string
	}{
		{"LF", file(), goodRows, dataset.LF, false, nil},
		{"CRLF", crlf.Replace(file()), goodRows, dataset.CRLF, false, nil},
		{"CR", cr.Replace(file()), goodRows, dataset.CR, false, nil},
		{"mixed line ends", strings.Replace(crlf.Replace(file()), "\r\n", "\n", 3), goodRows, dataset.Mixed, false, nil},
		{"byte order mark", "\ufeff" + file(), goodRows, dataset.LF, true, nil},
		{"byte order mark and CRLF", "\ufeff" + crlf.Replace(file()), goodRows, dataset.CRLF, true, nil},
		{"byte order mark and quoted header", "\ufeff" + strings.Replace(file(), "id,", `"id",`, 1), goodRows, dataset.LF, true, nil},
		{"no line end at the end", file("z,a,1,no"), goodRows + 1, dataset.LF, false, nil},
		{"CR as the last byte", cr.Replace(file("z,a,1,no")) + "\r", goodRows + 1, dataset.CR, false, nil},
		{"blank lines", "\n\n" + strings.ReplaceAll(file(), "\n", "\n\n"), goodRows, dataset.LF, false, nil},
		{"quoted newlines, commas and quotes", file("z,\"a\nb, \"\"c\"\"\",1,no", "w,a,1,yes"), goodRows + 2, dataset.LF, false, nil},
		{"quoted CRLF", crlf.Replace(file("z,\"a\nb\",1,no", "w,a,1,yes")), goodRows + 2, dataset.CRLF, false, nil},
		{"blanks around values", file(" z , a , 1 , no "), goodRows + 1, dataset.LF, false, nil},
		{"names in another case", strings.Replace(file(), "id,c,n,y", " ID,C,N ,Y", 1), goodRows, dataset.LF, false, nil},
		{"columns nobody asked for", withExtra(file()), goodRows, dataset.LF, false, []string{"", "a", "z"}},
		{"the largest text", file("z," + strings.Repeat("a", 1024) + ",1,no"), goodRows + 1, dataset.LF, false, nil},
		{"every way to write a number", file("z,a,1e1,no", "y,a,.5,no", "x,a,5.,no", "w,a,+5,no", "v,a,-0,no", "u,a,1E-300,no", "t,a, ,no"), goodRows + 7, dataset.LF, false, nil},
		{"letters of other alphabets", file("ключ,日本語,1,no"), goodRows + 1, dataset.LF, false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := parseSpec(t, small)
			rows, in, err := readAll(strings.NewReader(test.text), spec)
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != test.rows || in.LineEnd() != test.ends || in.BOM() != test.bom || !slices.Equal(in.Extra(), test.extra) {
				t.Errorf("%d rows, line ends %s, byte order mark %v, extra columns %q; want %d, %s, %v, %q",
					len(rows), in.LineEnd(), in.BOM(), in.Extra(), test.rows, test.ends, test.bom, test.extra)
			}
			if rows[0].Key != "k0" || rows[3].Values[0].Text != "b" || rows[3].Values[1].Number != 3 || !rows[3].Positive {
				t.Errorf("the first rows are %+v", rows[:4])
			}
			again, _, err := readAll(iotest.OneByteReader(strings.NewReader(test.text)), spec)
			if err != nil || !slices.EqualFunc(rows, again, sameRow) {
				t.Errorf("byte by byte it is read otherwise: %v", err)
			}
		})
	}
}

// withExtra adds columns around those of the spec.
func withExtra(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := range lines {
		lines[i] = "1," + lines[i] + ",2,\"3\""
	}
	lines[0] = "z," + "id,c,n,y" + ",,a"
	return strings.Join(lines, "\n") + "\n"
}

func sameRow(a, b dataset.Row) bool {
	return a.Line == b.Line && a.Key == b.Key && a.Positive == b.Positive && a.Part == b.Part && slices.Equal(a.Values, b.Values)
}

func TestBadFiles(t *testing.T) {
	at := func(line, rest any) string { return fmt.Sprintf("line %v%v", line, rest) }
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	cr := func(s string) string { return strings.ReplaceAll(s, "\n", "\r") }
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", "line 1: the file is empty"},
		{"only a byte order mark", "\ufeff", "line 1: the file is empty"},
		{"only blank lines", "\n\r\n\r", "line 1: the file is empty"},
		{"header only", "id,c,n,y\n", "line 1: the file ends after its header: there are no rows"},
		{"header only, no line end", "id,c,n,y", "line 1: the file ends after its header"},
		{"header of two lines, no rows", "id,c,n,y,\"a\nb\"\n", "line 2: the file ends after its header"},
		{"missing column", "id,c,y\n", "line 1: the header lacks the column n, which the spec small names"},
		{"missing columns", "a,b\n", "line 1: the header lacks the columns id, y, c, n,"},
		{"missing column below blank lines", "\n\nid,c,y\n", "line 3: the header lacks the column n,"},
		{"another separator", "id;c;n;y\n", "line 1: the header lacks the columns id, y, c, n,"},
		{"duplicate column", "id,c,n,N ,y\n", `line 1: column "N" is there twice, as column 3 and column 4`},
		{"duplicate column that is not used", "id,c,n,y,z,z\n", `line 1: column "z" is there twice, as column 5 and column 6`},
		{"very many columns", "id,c,n,y" + strings.Repeat(",x", 10_000) + "\n", "line 1: the header has 10004 columns; at most 10000 are allowed"},
		{"very long header", "id,c,n,y,\"" + strings.Repeat("x", 2<<20) + "\"\n", "line 1, byte 1048577, column number 5: the record that begins on line 1 is longer than 1048576 bytes"},
		{"header without quote at its end", "id,c,\"n,y\nk,a,1,no\n", "line 2, byte 10, column number 3: a quote is out of place or not closed (the record begins on line 1)"},
		{"header that is not UTF-8", "id,c,n,y,\xff\n", "line 1: the name of column 5 is not UTF-8"},
		{"short row", file("z,a,1"), at(next, ": the row ends before column y, with 3 of 4 fields")},
		{"long row", file("z,a,1,no,x,y"), at(next, ", byte 10: the row goes on behind the last column, y, with 6 fields for 4")},
		{"decimal comma", file("z,a,1,5,no"), at(next, ", byte 9: the row goes on behind the last column, y, with 5 fields for 4")},
		{"short row below quoted newlines", file("z,\"a\n\n\",1,no", "w,\"\n\""), at(next+4, ": the row ends before column n, with 2 of 4 fields")},
		{"blank key", file(" ,a,1,no"), at(next, ", byte 1, column id: the value is blank")},
		{"bad label", file("z,a,1,maybe"), at(next, `, byte 7, column y: the value is "maybe"; it must be "yes" or "no"`)},
		{"label in another case", file("z,a,1,Yes"), at(next, `, byte 7, column y: the value is "Yes"`)},
		{"blank label", file("z,a,1,"), at(next, `, byte 7, column y: the value is ""`)},
		{"bad label below quoted newlines", file("z,\"a\n\nb\",1,no", "w,\"a\n\",1,no", "v,a,1,maybe"), at(next+5, `, byte 7, column y:`)},
		{"bad label behind a quoted newline", file("z,\"a\nb\",1,maybe"), at(next+1, `, byte 6, column y:`)},
		{"bad label, CRLF", crlf(file("z,a,1,no", "y,a,1,maybe")), at(next+1, ", byte 7, column y:")},
		{"bad label, CR", cr(file("z,a,1,no", "y,a,1,maybe")), at(next+1, ", byte 7, column y:")},
		{"bad label below quoted CR", cr(file("z,\"a\nb\",1,no", "y,a,1,maybe")), at(next+2, ", byte 7, column y:")},
		{"bad label below quoted CRLF", crlf(file("z,\"a\nb\",1,no", "y,a,1,maybe")), at(next+2, ", byte 7, column y:")},
		{"bad label below blank lines", file("", "", "z,a,1,maybe"), at(next+2, ", byte 7, column y:")},
		{"bad label, byte order mark", "\ufeffid,c,n,y\nz,a,1,maybe\n", "line 2, byte 7, column y:"},
		{"blank category", file("z,,1,no"), at(next, ", byte 3, column c: the value is blank: fill it in, or say in the spec")},
		{"bad number", file("z,a,1x,no"), at(next, `, byte 5, column n: the value is "1x", which is not a number`)},
		{"NaN", file("z,a,NaN,no"), at(next, `, byte 5, column n: the value is "NaN", which is not a number`)},
		{"infinity", file("z,a,-Inf,no"), at(next, `, byte 5, column n: the value is "-Inf", which is not a number`)},
		{"hexadecimal", file("z,a,0x1p4,no"), at(next, ", byte 5, column n:")},
		{"digits with underscores", file("z,a,1_0,no"), at(next, ", byte 5, column n:")},
		{"digits of another alphabet", file("z,a,\u0663,no"), at(next, ", byte 5, column n:")},
		{"overflow", file("z,a,1e999,no"), at(next, `, byte 5, column n: the value is "1e999", which is not a finite number`)},
		{"below the minimum", file("z,a,-1,no"), at(next, `, byte 5, column n: the value is "-1", which is below the least allowed, 0`)},
		{"above the maximum", file("z,a,101,no"), at(next, `, byte 5, column n: the value is "101", which is above the largest allowed, 100`)},
		{"not UTF-8", file("z,caf\xe9,1,no"), at(next, ", byte 3, column c: the value is not UTF-8")},
		{"not UTF-8 in a column that is not used", "id,c,n,y,x\nk,a,1,no,\xff\n", "line 2, byte 10, column x: the value is not UTF-8"},
		{"NUL byte", file("z,a\x00,1,no"), at(next, ", byte 4, column c: a NUL byte")},
		{"NUL byte in quotes", file("z,\"a\n,\x00\",1,no"), at(next+1, ", byte 2, column c: a NUL byte")},
		{"NUL byte at the beginning", "\x00", "line 1, byte 1, column number 1: a NUL byte"},
		{"quote not closed", file("z,\"a,1,no", "w,b,1,no"), fmt.Sprintf("line %d, byte 9, column c: a quote is out of place or not closed (the record begins on line %d)", next+1, next)},
		{"quote not closed in a large file", file("z,\"a,1,no", strings.Repeat("w,b,1,no\n", 200_000)), fmt.Sprintf("column c: the record that begins on line %d is longer than 1048576 bytes: is a quote not closed?", next)},
		{"text behind a closing quote", file(`z,"a"b,1,no`), at(next, ", byte 5, column c: a quote is out of place")},
		{"bare quote", file(`z,a"b,1,no`), at(next, ", byte 4, column c: a quote inside a field that is not quoted")},
		{"a 10 MB field", file("z," + strings.Repeat("a", 10<<20) + ",1,no"), at(next, fmt.Sprintf(", byte 1048577, column c: the record that begins on line %d is longer than 1048576 bytes", next))},
		{"a 10 MB field in quotes", file("z,\"" + strings.Repeat("a", 10<<20) + "\",1,no"), at(next, ", byte 1048577, column c: the record")},
		{"a 10 MB field of newlines", file("z,a,\"" + strings.Repeat("\n", 10<<20) + "\",no"), "column n: the record"},
		{"a row of 10 MB of commas", file(strings.Repeat(",", 10<<20)), "column number 1048577: the record"},
		{"a long category", file("z," + strings.Repeat("a", 1025) + ",1,no"), at(next, `, byte 3, column c: the value is "`+strings.Repeat("a", 60)+`"… (1025 bytes); at most 1024 bytes are allowed`)},
		{"a long key", file(strings.Repeat("k", 1025) + ",a,1,no"), at(next, ", byte 1, column id: the value is ")},
		{"a long number", file("z,a," + strings.Repeat("1", 1025) + ",no"), at(next, ", byte 5, column n: the value is ")},
		{"UTF-16, little-endian", utf16File(file(), "\xff\xfe", 0), "line 1, byte 1, column number 1: the file is UTF-16: save it as UTF-8"},
		{"UTF-16, big-endian", utf16File(file(), "\xfe\xff", 1), "line 1, byte 1, column number 1: the file is UTF-16: save it as UTF-8"},
		{"UTF-16 without a mark", utf16File(file(), "", 0), "line 1, byte 2, column number 1: a NUL byte"},
		{"gzip", gzipped(file()), "line 1, byte 1, column number 1: the file is compressed by gzip: give it uncompressed"},
		{"spreadsheet", "PK\x03\x04\x14\x00", "line 1, byte 1, column number 1: the file is a ZIP archive or a spreadsheet: export it as CSV"},
		{"one class", "id,c,n,y\n1,a,1,no\n2,a,1,no\n\n", `column y: no row up to line 3 is "yes", and one class cannot be learned`},
		{"the other class", "id,c,n,y\n1,a,1,yes\n", `column y: no row up to line 2 is "no"`},
		{"one class in a split", "id,c,n,y\n1,a,1,yes\n2,a,1,no\n3,a,1,no\n4,a,1,no\n", `column y: none of the 1 rows with "yes" fell into the`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{
				"at once": strings.NewReader(test.text), "in halves": iotest.HalfReader(strings.NewReader(test.text)),
				"data with error": iotest.DataErrReader(strings.NewReader(test.text)),
			} {
				_, _, err := readAll(r, parseSpec(t, small))
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("%s: %v\nwant %s", name, err, test.want)
				}
				if !churn.IsKind(err, churn.Invalid) {
					t.Errorf("%s: kind %v", name, churn.KindOf(err))
				}
				if len(err.Error()) > 1000 {
					t.Errorf("%s: a message of %d bytes", name, len(err.Error()))
				}
			}
		})
	}
}

func utf16File(text, mark string, high int) string {
	var b strings.Builder
	b.WriteString(mark)
	for _, u := range utf16.Encode([]rune(text)) {
		pair := [2]byte{byte(u), byte(u >> 8)}
		b.WriteByte(pair[high])
		b.WriteByte(pair[1-high])
	}
	return b.String()
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// A broken connection is not bad data: trying again may help, and the kind says
// so.
func TestErrorsOfTheSourceKeepTheirKind(t *testing.T) {
	spec := parseSpec(t, small)
	for _, cause := range []error{
		churn.Errorf("s3.Read", churn.Transient, "connection reset"),
		churn.Errorf("s3.Read", churn.Invalid, "another digest"),
		errors.New("something else"),
	} {
		for _, text := range []string{"", "\ufeff", "id", file(), file("z,\"a")} {
			_, _, err := readAll(io.MultiReader(strings.NewReader(text), iotest.ErrReader(cause)), spec)
			if !errors.Is(err, cause) || churn.KindOf(err) != churn.KindOf(cause) {
				t.Errorf("%v after %d bytes became %v, kind %v", cause, len(text), err, churn.KindOf(err))
			}
		}
	}
}

// endless is a file that goes on for ever, of a pattern.
type endless struct {
	pattern   string
	at, given int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.pattern[e.at]
		e.at = (e.at + 1) % len(e.pattern)
	}
	e.given += len(p)
	return len(p), nil
}

// A record without end is given up on, rather than read to its end.
func TestRecordWithoutEndIsGivenUp(t *testing.T) {
	for _, test := range []struct{ name, head, pattern string }{
		{"one field", "id,c,n,y\n", "a"},
		{"one quoted field", "id,c,n,y\nk,\"", "a\n"},
		{"quotes", "id,c,n,y\n", "\""},
		{"a header", "", "a,"},
	} {
		t.Run(test.name, func(t *testing.T) {
			source := &endless{pattern: test.pattern}
			_, _, err := readAll(io.MultiReader(strings.NewReader(test.head), source), parseSpec(t, small))
			if !churn.IsKind(err, churn.Invalid) {
				t.Fatal(err)
			}
			if source.given > 3<<20 {
				t.Errorf("%d bytes were read of one record", source.given)
			}
		})
	}
}

// However many rows a file has, the reader holds one.
func TestReaderHoldsOneRow(t *testing.T) {
	spec := parseSpec(t, small)
	for _, test := range []struct{ name, pattern string }{{"rows", "k,a,1,no\n"}, {"blank lines", "\n"}} {
		t.Run(test.name, func(t *testing.T) {
			source := io.LimitReader(&endless{pattern: test.pattern}, 8<<20)
			before := heap()
			in, err := dataset.NewReader(io.MultiReader(strings.NewReader("id,c,n,y\n"), source), spec, spec.Split)
			var row dataset.Row
			for err == nil {
				err = in.Next(&row)
			}
			if held := heap() - before; held > 1<<20 {
				t.Errorf("%d bytes are held", held)
			}
			runtime.KeepAlive(in)
			if source.(*io.LimitedReader).N != 0 {
				t.Fatalf("reading ended early: %v", err)
			}
		})
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestTelcoBlanks(t *testing.T) {
	spec := parseSpec(t, string(data.TelcoSpec))
	rows, in, err := readAll(telco(t), spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 7043 || len(in.Extra()) != 0 {
		t.Errorf("%d rows, extra columns %q", len(rows), in.Extra())
	}
	total := slices.IndexFunc(spec.Columns, func(c dataset.Column) bool { return c.Name == "TotalCharges" })
	blanks := 0
	for _, r := range rows {
		for i, v := range r.Values {
			if v.Missing && i != total {
				t.Errorf("line %d: column %s is blank", r.Line, spec.Columns[i].Name)
			}
		}
		if r.Values[total].Missing {
			blanks++
		}
	}
	if blanks != 11 {
		t.Errorf("%d blanks in TotalCharges, want 11", blanks)
	}
}

var position = regexp.MustCompile(`line (\d+)(?:, byte (\d+))?`)

// Whatever the bytes are, reading ends, and an error is Invalid and names a
// place that is in the file.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"", "\ufeff", file(), strings.ReplaceAll(file(), "\n", "\r"), strings.ReplaceAll(file(), "\n", "\r\n"),
		file("z,\"a\nb\",1,no", "w,a,x,no"), file("z,\"a,1,no"), file(`z,a"b,1,no`), file("z,a\x00,1,no"), "id,c,n,y\n\"\"\n",
		"\xff\xfei\x00", gzipped("id"), "id,c,n,y\nk,\"a\"\"\r\nb\",1e5,yes\r",
	} {
		f.Add([]byte(seed))
	}
	spec, err := dataset.ParseSpec([]byte(small))
	if err != nil {
		f.Fatal(err)
	}
	soak.Fuzz(f, func(t *testing.T, text []byte) {
		rows, in, err := readAll(bytes.NewReader(text), spec)
		lines := 1 + bytes.Count(text, []byte("\n")) + bytes.Count(text, []byte("\r"))
		last := 0
		for _, r := range rows {
			if r.Line <= last || r.Line > lines {
				t.Fatalf("a row of line %d follows one of line %d, in a file of %d lines", r.Line, last, lines)
			}
			last = r.Line
			if n := r.Values[1].Number; r.Key == "" || !(n >= 0 && n <= 100) {
				t.Fatalf("row %+v", r)
			}
		}
		if err == nil {
			if counts := in.Counts(); counts[0][0]+counts[0][1]+counts[1][0]+counts[1][1]+counts[2][0]+counts[2][1] != int64(len(rows)) {
				t.Fatalf("%d rows are counted as %v", len(rows), counts)
			}
			return
		}
		if !churn.IsKind(err, churn.Invalid) {
			t.Fatalf("kind %v: %v", churn.KindOf(err), err)
		}
		found := position.FindStringSubmatch(err.Error())
		if found == nil {
			if strings.Contains(err.Error(), "split") {
				return // of the file as a whole
			}
			t.Fatalf("no place: %v", err)
		}
		line, _ := strconv.Atoi(found[1])
		at, _ := strconv.Atoi(found[2])
		if line < 1 || line > lines || line < last || at > len(text)+1 {
			t.Fatalf("line %d, byte %d, in a file of %d lines and %d bytes: %v", line, at, lines, len(text), err)
		}
		if again, _, err2 := readAll(iotest.OneByteReader(bytes.NewReader(text)), spec); !slices.EqualFunc(rows, again, sameRow) || err2.Error() != err.Error() {
			t.Fatalf("byte by byte it is read otherwise: %v and %v", err, err2)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	text, err := io.ReadAll(telco(b))
	if err != nil {
		b.Fatal(err)
	}
	spec := parseSpec(b, string(data.TelcoSpec))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		in, err := dataset.NewReader(bytes.NewReader(text), spec, spec.Split)
		var row dataset.Row
		for err == nil {
			err = in.Next(&row)
		}
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	}
}
