// Package jsonfile is how artifacts that are JSON are written, and how those are
// read that must hold nothing else.
package jsonfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/asfotec/churn/pkg/churn"
)

// Encode returns v indented, with a final newline: the same bytes for the same v.
// What is not JSON is an Internal error.
func Encode(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(v)
	return out.Bytes(), churn.E("jsonfile.Encode", churn.Internal, err)
}

// Decode reads one JSON value, with no unknown fields and nothing behind it.
func Decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("there is more behind the value")
	}
	return nil
}
