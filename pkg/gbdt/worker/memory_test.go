//go:build !race

package worker

import (
	"testing"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

// The race detector allocates many times what it watches, and so has no such test.

// A training that takes more memory than it may is an attempt that failed; the
// next one, which needs less, works.
func TestMemoryIsLimited(t *testing.T) {
	pool := limited(t, Limits{CPUs: 1, Memory: 192 << 20})
	big := makeTable(2_000_000, 1000)
	_, err := pool.Train(t.Context(), params(5), lightgbm.Options{}, big.data())
	if !churn.IsKind(err, churn.Internal) {
		t.Fatalf("a training of too many rows: %v", err)
	}
	t.Log(err)
	if _, err := pool.Train(t.Context(), params(5), lightgbm.Options{}, makeTable(300, 100).data()); err != nil {
		t.Errorf("the next training: %v", err)
	}
	if _, err := newPool(t, 1).Train(t.Context(), params(5), lightgbm.Options{}, big.data()); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}
