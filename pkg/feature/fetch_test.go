package feature_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
)

// stored puts a table of so many rows, which do not compress, into a store.
func stored(t *testing.T, rows int) (blob.Store, *blob.Artifact) {
	t.Helper()
	draw := rand.New(rand.NewPCG(1, 0))
	var out bytes.Buffer
	w := feature.NewWriter(&out, tiny)
	for i := range rows {
		row := dataset.Row{
			Key: fmt.Sprintf("%016x%016x", draw.Uint64(), draw.Uint64()), Part: dataset.Part(i % int(dataset.Parts)), Positive: i%2 == 0,
			Values: []dataset.Value{{Number: draw.Float64()}, {Number: draw.Float64()}, {Text: "x"}, {Text: "x"}},
		}
		if err := w.Write(&row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := memory.New("bucket")
	a, err := s.Put(t.Context(), "features.parquet", "", bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

// heap returns the bytes that are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Memory holds a row group of what is read, and of the table's file nothing.
func TestReadingIsBounded(t *testing.T) {
	p := &feature.Preprocessor{
		Version: 1, Key: "id", Target: tiny.Target, Features: []string{"a"},
		Columns: []feature.Column{{Name: "a", Kind: dataset.Numeric, Missing: dataset.MissingError, Deviation: 1}},
	}
	most := map[int]int64{}
	for _, groups := range []int{1, 4} {
		s, a := stored(t, groups<<16)
		before := heap()
		table, err := feature.FetchTable(t.Context(), s, a, nil)
		if err != nil {
			t.Fatal(err)
		}
		if held := heap() - before; held > 1<<20 {
			t.Errorf("%d bytes are held of a file of %d that is open", held, a.GetSize())
		}
		rows, keys := 0, 0
		for c, err := range table.Chunks(p, dataset.Holdout) {
			if err != nil {
				t.Fatal(err)
			}
			rows += len(c.Rows)
			most[groups] = max(most[groups], heap()-before)
		}
		for _, err := range table.Keys(dataset.Holdout) {
			if err != nil {
				t.Fatal(err)
			}
			if keys++; keys%20_000 == 0 {
				most[groups] = max(most[groups], heap()-before)
			}
		}
		if want := groups << 16 / 3; rows != want || keys != want {
			t.Errorf("%d rows and %d keys, want %d", rows, keys, want)
		}
		if err := table.Close(); err != nil {
			t.Error(err)
		}
	}
	if most[4] > most[1]*3/2 {
		t.Errorf("%d bytes are held of 4 row groups, %d of one", most[4], most[1])
	}
}

// Keys come in the order of Chunks, can be read again, and need not be read to
// their end.
func TestKeys(t *testing.T) {
	s, a := stored(t, 70_000)
	table, err := feature.FetchTable(t.Context(), s, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	var want []string
	for c, err := range table.Chunks(&feature.Preprocessor{Features: []string{}}, dataset.Validation) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, c.Keys...)
	}
	for range 2 {
		var got []string
		for key, err := range table.Keys(dataset.Validation) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, key)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d keys of %d rows", len(got), len(want))
		}
	}
	n := 0
	for _, err := range table.Keys(dataset.Validation) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d keys", n)
	}
}

// A disk that fails is not the table's fault.
func TestReadingFails(t *testing.T) {
	s, a := stored(t, 1000)
	table, err := feature.FetchTable(t.Context(), s, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Close(); err != nil { // as good as a disk that is gone
		t.Fatal(err)
	}
	for _, err := range table.Chunks(&feature.Preprocessor{}, dataset.Train) {
		if !churn.IsKind(err, churn.Internal) || !errors.Is(err, os.ErrClosed) {
			t.Errorf("rows: kind %v: %v", churn.KindOf(err), err)
		}
	}
	for _, err := range table.Keys(dataset.Train) {
		if !churn.IsKind(err, churn.Internal) {
			t.Errorf("keys: kind %v: %v", churn.KindOf(err), err)
		}
	}
	if _, err := table.Groups("c", dataset.Train, 2); !churn.IsKind(err, churn.Internal) {
		t.Errorf("groups: kind %v: %v", churn.KindOf(err), err)
	}
}

// What cannot be fetched or is no table is refused, and leaves nothing open.
func TestTablesThatCannotBeFetched(t *testing.T) {
	s := memory.New("bucket")
	a, err := s.Put(t.Context(), "features.parquet", "", bytes.NewReader([]byte("a,b,c\n")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := feature.FetchTable(t.Context(), s, a, nil); !churn.IsKind(err, churn.Invalid) {
		t.Errorf("text: %v", err)
	}
	large := &blob.Artifact{Uri: a.GetUri(), Sha256: a.GetSha256(), Size: feature.MaxTable + 1}
	if _, err := feature.FetchTable(t.Context(), s, large, nil); !churn.IsKind(err, churn.Invalid) {
		t.Errorf("more than is allowed: %v", err)
	}
}

// A disk that fails while a table is opened is no fault of the table either.
func TestDiskFailsWhileOpening(t *testing.T) {
	file, err := blob.NewTemporary()
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := feature.OpenTable(file, 1<<10); !churn.IsKind(err, churn.Internal) || !errors.Is(err, os.ErrClosed) {
		t.Errorf("kind %v: %v", churn.KindOf(err), err)
	}
}
