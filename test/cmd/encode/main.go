// Command encode fits the built-in spec's preprocessing on a CSV, as the
// featurizer does, and writes what ModelService's tests compare with: in
// preprocessor.json the preprocessing, and in matrix.f64 the features of every
// row of the file, in its order, as little-endian float64.
//
// Usage: encode CSV FOLDER
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/asfotec/churn/data"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: encode CSV FOLDER")
		os.Exit(2)
	}
	if err := encode(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "encode:", err)
		os.Exit(1)
	}
}

func encode(csv, folder string) error {
	spec, err := dataset.ParseSpec(data.TelcoSpec)
	if err != nil {
		return err
	}
	fitter := feature.NewFitter(spec, spec.Split)
	if err := eachRow(csv, spec, fitter.Add); err != nil {
		return err
	}
	preprocessor, err := fitter.Preprocessor()
	if err != nil {
		return err
	}
	text, err := preprocessor.JSON()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "preprocessor.json"), text, 0o600); err != nil {
		return err
	}
	return writeMatrix(csv, spec, preprocessor, filepath.Join(folder, "matrix.f64"))
}

func writeMatrix(csv string, spec *dataset.Spec, p *feature.Preprocessor, path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriter(file)
	x := make([]float64, len(p.Features))
	err = eachRow(csv, spec, func(row *dataset.Row) error {
		if _, err := p.Apply(row.Values, x); err != nil {
			return err
		}
		return binary.Write(out, binary.LittleEndian, x)
	})
	return errors.Join(err, out.Flush())
}

func eachRow(path string, spec *dataset.Spec, f func(*dataset.Row) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	reader, err := dataset.NewReader(file, spec, spec.Split)
	if err != nil {
		return err
	}
	var row dataset.Row
	for {
		err := reader.Next(&row)
		if errors.Is(err, io.EOF) {
			return reader.Close()
		}
		if err == nil {
			err = f(&row)
		}
		if err != nil {
			return err
		}
	}
}
