package memory_test

import (
	"testing"

	"github.com/asfotec/churn/pkg/blob/blobtest"
	"github.com/asfotec/churn/pkg/blob/memory"
)

func TestStore(t *testing.T) {
	store := memory.New("churn")
	blobtest.Store(t, blobtest.Backend{
		Store:  store,
		Tamper: func(_ *testing.T, key string, data []byte) { store.Corrupt(key, data) },
	})
}
