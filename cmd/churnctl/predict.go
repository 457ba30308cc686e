package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func predictCmd(a *app) *cobra.Command {
	var url, data string
	var row int
	cmd := &cobra.Command{
		Use:   "predict",
		Short: "Ask ModelService for a prediction on one row of a CSV",
		Example: `  churnctl predict --data data/telco_churn.csv --row 1
  curl -s localhost:8000/predict -H 'content-type: application/json' -d @row.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if url == "" {
				running, err := readStackFile(a.config.StateDir)
				if err != nil || running.ModelService == "" {
					return usageErrorf("no ModelService is running here: start it with `churnctl up`, or name one with --url")
				}
				url = running.ModelService
			}
			fields, err := csvRow(a.path(data), row)
			if err != nil {
				return err
			}
			answer, err := predict(cmd.Context(), url, fields)
			if err != nil {
				return err
			}
			return a.print(answer, func(w io.Writer) { showPrediction(w, fields, answer) })
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "ModelService's address (default: the running local stack's)")
	cmd.Flags().StringVar(&data, "data", "data/telco_churn.csv", "CSV to take the row from")
	cmd.Flags().IntVar(&row, "row", 1, "which row, from 1")
	return cmd
}

// csvRow returns the fields of the n-th row of a CSV, by column name, in order.
func csvRow(path string, n int) ([]field, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usageErrorf("--data: %w", err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	for i := 1; ; i++ {
		values, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil, usageErrorf("%s has %d rows, --row asks for row %d", path, i-1, n)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if i == n {
			fields := make([]field, len(header))
			for j := range header {
				fields[j] = field{header[j], values[j]}
			}
			return fields, nil
		}
	}
}

// field is one column's value of a row.
type field struct{ name, value string }

// predict returns ModelService's answer to one row, as it came.
func predict(ctx context.Context, url string, fields []field) (json.RawMessage, error) {
	row := map[string]string{}
	for _, f := range fields {
		row[f.name] = f.value
	}
	body, err := json.Marshal(row)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(url, "/")+"/predict", bytes.NewReader(body))
	if err != nil {
		return nil, usageErrorf("--url: %w", err)
	}
	req.Header.Set("content-type", "application/json")
	status, answer, err := do(req)
	if err != nil {
		return nil, fmt.Errorf("asking ModelService: %w", err)
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("ModelService answered %d: %s", status, bytes.TrimSpace(answer))
	}
	return answer, nil
}

func showPrediction(w io.Writer, fields []field, answer json.RawMessage) {
	_, _ = fmt.Fprintf(w, "%s\n", indent(answer))
	for _, f := range fields[:1] {
		_, _ = fmt.Fprintf(w, "  (row with %s = %s)\n", f.name, f.value)
	}
}
