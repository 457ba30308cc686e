package memory_test

import (
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/blobtest"
	"github.com/asfotec/churn/pkg/blob/memory"
)

func TestStore(t *testing.T) {
	blobtest.Store(t, func(*testing.T) blob.Store { return memory.New("churn") })
}
