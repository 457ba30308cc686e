package feature

import (
	"context"

	"github.com/asfotec/churn/pkg/blob"
)

// MaxTable is the most bytes that features.parquet may have: what S3 takes in one
// PUT, which is the features of a hundred million rows of a narrow dataset.
const MaxTable = blob.MaxObject

// FetchTable opens a features.parquet in the store, by way of a temporary file;
// see blob.Fetch. Close removes it.
func FetchTable(ctx context.Context, store blob.Store, a *blob.Artifact, progress func(bytes int64)) (*Table, error) {
	file, err := blob.Fetch(ctx, store, a, MaxTable, progress)
	if err != nil {
		return nil, err
	}
	t, err := OpenTable(file, a.GetSize())
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	t.close = file.Close
	return t, nil
}

// Close frees what FetchTable has taken. The table cannot be read any more.
func (t *Table) Close() error {
	if t.close == nil {
		return nil
	}
	return t.close()
}
