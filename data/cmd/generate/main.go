// Command generate writes a synthetic customer file with the columns of the
// public Telco churn data set.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/asfotec/churn/data/generate"
)

func main() {
	path := flag.String("o", "telco_churn.csv", "file to write")
	seed := flag.Uint64("seed", generate.DefaultSeed, "seed of the random numbers")
	rows := flag.Int("rows", generate.DefaultRows, "number of customers")
	flag.Parse()
	if err := write(*path, *seed, *rows); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func write(path string, seed uint64, rows int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(generate.Write(file, seed, rows), file.Close())
}
