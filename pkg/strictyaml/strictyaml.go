// Package strictyaml decodes documents that people write: what is not understood is
// refused rather than left out.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// maxFields is the most fields that one mapping may have. The decoder compares each
// with each other.
const maxFields = 100

// Decode decodes one YAML document without unknown or repeated fields.
func Decode(text []byte, v any) error {
	var tree yaml.Node
	if err := decodeOne(text, false, &tree); err != nil {
		return err
	}
	if err := checkFields(&tree); err != nil {
		return err
	}
	return decodeOne(text, true, v)
}

// decodeOne decodes the text's one document; an empty text leaves v as it is.
func decodeOne(text []byte, strict bool, v any) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(strict)
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one document")
	}
	return nil
}

// checkFields returns an error if a mapping below the node has too many fields.
// What an alias stands for is looked at where it is written.
func checkFields(n *yaml.Node) error {
	if fields := len(n.Content) / 2; n.Kind == yaml.MappingNode && fields > maxFields {
		return fmt.Errorf("line %d: there are %d fields; no part of a document has more than %d", n.Line, fields, maxFields)
	}
	for _, child := range n.Content {
		if err := checkFields(child); err != nil {
			return err
		}
	}
	return nil
}
