package evaluator

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/gbdt/leaves"
)

// Of the features the evaluator holds a row group, and of each row that it scores
// a label and a score.
func TestFeaturesAreNotHeld(t *testing.T) {
	f := whole(t)
	model, err := leaves.Load(train(t, f, params(7), dataset.Validation).model)
	if err != nil {
		t.Fatal(err)
	}
	s := &scorer{model, f.preprocessor}
	most := map[int]int64{}
	for _, times := range []int{10, 20} {
		store := memory.New("churn")
		table, err := store.Put(t.Context(), "features.parquet", "", bytes.NewReader(repeated(t, times)))
		if err != nil {
			t.Fatal(err)
		}
		v := &Evaluator{store: store}
		before := heap()
		in, err := v.readTable(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if held := heap() - before; held > table.GetSize()/4 {
			t.Errorf("%d bytes are held of a file of %d that is open", held, table.GetSize())
		}
		held := 0
		scored, err := s.score(t.Context(), in, dataset.Train, func(rows int) {
			held = rows
			most[times] = max(most[times], heap()-before-int64(scoreBytes*rows))
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := int(f.rows[dataset.Train]) * times; held != want || len(scored.scores) != want {
			t.Errorf("%d rows, want %d", held, want)
		}
	}
	if most[20] > most[10]*3/2 {
		t.Errorf("%d bytes are held of 20 times the file, %d of 10 times", most[20], most[10])
	}
}

// scoreBytes are a row's label and score, with a quarter for slices that grow.
const scoreBytes = 11

// repeated is a table of the file's rows, so many times over with other keys.
func repeated(t *testing.T, times int) []byte {
	t.Helper()
	spec := telcoSpec(t)
	var table bytes.Buffer
	w := feature.NewWriter(&table, spec)
	rows := telcoRows(t, spec.Split)
	for n := range times {
		for _, row := range rows {
			row.Key = fmt.Sprintf("%s-%d", row.Key, n)
			if err := w.Write(&row); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return table.Bytes()
}

// heap returns the bytes that are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
