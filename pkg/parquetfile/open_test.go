package parquetfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/asfotec/churn/pkg/parquetfile"
	"github.com/asfotec/churn/pkg/soak"
)

type row struct {
	Key   string   `parquet:"key"`
	Plain string   `parquet:"plain,dict"`
	Score float64  `parquet:"score"`
	Maybe *float64 `parquet:"maybe,optional"`
}

// small returns a file as the pipeline writes them.
func small(t testing.TB, options ...parquet.WriterOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out, append(options, parquet.Compression(&parquet.Snappy))...)
	for i := range 40 {
		r := row{Key: fmt.Sprintf("key-%d", i), Plain: "ab"[i%2 : i%2+1], Score: float64(i)}
		if i%3 > 0 {
			r.Maybe = &r.Score
		}
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read reads every value and returns how many there are.
func read(file []byte) (n int, err error) {
	defer func() {
		if p := recover(); p != nil { // of the library, on what is no sound page
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	f, err := parquetfile.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return 0, err
	}
	values := make([]parquet.Value, 100)
	for _, g := range f.RowGroups() {
		for _, c := range g.ColumnChunks() {
			pages := c.Pages()
			for {
				page, err := pages.ReadPage()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return n, errors.Join(err, pages.Close())
				}
				for reader := page.Values(); err == nil && n < 1<<20; {
					var some int
					some, err = reader.ReadValues(values)
					n += some
				}
				parquet.Release(page)
			}
			if err := pages.Close(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func TestSound(t *testing.T) {
	for version := 1; version <= 2; version++ {
		if n, err := read(small(t, parquet.DataPageVersion(version))); n != 160 || err != nil {
			t.Errorf("data pages of version %d: %d values, %v", version, n, err)
		}
	}
}

func TestRefused(t *testing.T) {
	file := small(t)
	footer := func(length uint32) []byte {
		bad := bytes.Clone(file)
		binary.LittleEndian.PutUint32(bad[len(bad)-8:], length)
		return bad
	}
	var zstd bytes.Buffer
	w := parquet.NewGenericWriter[row](&zstd, parquet.Compression(&parquet.Zstd))
	if _, err := w.Write(make([]row, 3)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		say  string
	}{
		"empty":         {nil, "too few"},
		"no magic":      {append(bytes.Clone(file[:len(file)-1]), '2'), "does not end as"},
		"encrypted":     {append(bytes.Clone(file[:len(file)-1]), 'E'), "does not end as"},
		"huge footer":   {footer(1<<32 - 1), "4294967295 bytes of the file's"},
		"footer of all": {footer(uint32(len(file))), "its footer is said to have"},
		"short footer":  {footer(3), "metadata"},
		"cut off":       {append(bytes.Clone(file[:100]), file[300:]...), "the page at"},
		"compressed":    {zstd.Bytes(), "compressed by ZSTD"},
	} {
		if _, err := read(c.file); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want %s", name, err, c.say)
		}
	}
}

// Whatever sizes a file claims, no more room is made than for a page.
func TestMemory(t *testing.T) {
	files := [][]byte{small(t), small(t, parquet.DataPageVersion(1))}
	r := rand.New(rand.NewPCG(1, 2))
	before := allocated()
	for n := range 20_000 {
		file := bytes.Clone(files[n%len(files)])
		for range 1 + r.IntN(3) {
			file[r.IntN(len(file)-4)] = byte(r.IntN(256))
		}
		_, err := read(file)
		after := allocated()
		if after-before > 512<<20 {
			t.Fatalf("file %d has %d bytes, and reading it took %d: %v", n, len(file), after-before, err)
		}
		before = after
	}
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func FuzzOpen(f *testing.F) {
	f.Add(small(f))
	f.Add(small(f, parquet.DataPageVersion(1)))
	soak.Fuzz(f, func(_ *testing.T, file []byte) {
		_, _ = read(file)
	})
}
