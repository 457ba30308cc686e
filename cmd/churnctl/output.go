package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes v as JSON with -o json, and otherwise as people lays it out.
func (a *app) print(v any, people func(io.Writer)) error {
	if a.json() {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	people(a.out)
	return nil
}

// table writes rows under a header, in aligned columns.
func table(w io.Writer, header []string, rows [][]string) {
	lines(w, append([][]string{header}, rows...))
}

// lines writes rows without a header, in aligned columns.
func lines(w io.Writer, rows [][]string) {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		_, _ = fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	_ = tw.Flush()
}

// pairs writes names and values, a line each.
func pairs(w io.Writer, kv ...string) {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] != "" {
			_, _ = fmt.Fprintf(tw, "  %s\t%s\n", kv[i], kv[i+1])
		}
	}
	_ = tw.Flush()
}

func metric(v float64) string { return fmt.Sprintf("%.4f", v) }

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// printLine writes v as one line of JSON.
func (a *app) printLine(v any) error { return json.NewEncoder(a.out).Encode(v) }

// compact takes the white space out of JSON.
func compact(text []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return text
	}
	return b.Bytes()
}

// indent lays JSON out for people.
func indent(text []byte) []byte {
	var b bytes.Buffer
	if json.Indent(&b, text, "  ", "  ") != nil {
		return text
	}
	return append([]byte("  "), b.Bytes()...)
}
