package trainer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
	"github.com/asfotec/churn/pkg/registry/objectstore"
)

// The trainer holds a row group of the features, however many rows there are.
func TestFeaturesAreNotHeld(t *testing.T) {
	most := map[int]int64{}
	for _, times := range []int{10, 20} {
		f := repeated(t, times)
		store := memory.New("churn")
		set := f.put(t, store, "run")
		before := heap()
		in, err := New(store, objectstore.NewTracker(store), nil).read(t.Context(), set)
		if err != nil {
			t.Fatal(err)
		}
		defer in.close()
		if held := heap() - before; held > set.GetTable().GetSize()/4 {
			t.Errorf("%d bytes are held of a file of %d that is open", held, set.GetTable().GetSize())
		}
		rows := [2]int{}
		for c, err := range in.chunks() {
			if err != nil {
				t.Fatal(err)
			}
			rows[c.Set] += len(c.Y)
			most[times] = max(most[times], heap()-before)
		}
		if rows != in.rows || rows[lightgbm.Train] < 4000*times {
			t.Errorf("%d rows, want %d", rows, in.rows)
		}
	}
	if most[20] > most[10]*3/2 {
		t.Errorf("%d bytes are held of 20 times the file, %d of 10 times", most[20], most[10])
	}
}

// repeated are the features of the file, so many times over with other keys.
func repeated(t *testing.T, times int) features {
	t.Helper()
	spec := telcoSpec(t)
	f := features{preprocessor: whole(t).preprocessor}
	var table bytes.Buffer
	w := feature.NewWriter(&table, spec)
	for n := range times {
		in, err := dataset.NewReader(bytes.NewReader(telco()), spec, spec.Split)
		if err != nil {
			t.Fatal(err)
		}
		var row dataset.Row
		for err = in.Next(&row); err == nil; err = in.Next(&row) {
			row.Key = fmt.Sprintf("%s-%d", row.Key, n)
			f.rows[row.Part]++
			if err := w.Write(&row); err != nil {
				t.Fatal(err)
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f.table = table.Bytes()
	return f
}

// heap returns the bytes that are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
