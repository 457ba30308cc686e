package featurizer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
	"github.com/asfotec/churn/pkg/profile"
	"github.com/asfotec/churn/pkg/stage"
	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// reportEvery is how many rows pass between two reports of progress.
const reportEvery = 5000

// prepared is what one pass over the data gives.
type prepared struct {
	table        *blob.Temporary // features.parquet
	preprocessor []byte
	profile      []byte
	counts       [dataset.Parts]int64 // rows of each part
}

func (p *prepared) close() { _ = p.table.Close() }

// prepare reads the data once: memory holds a row group, whatever the number of
// rows. It completes the plan's dataset with the digest and size of what was
// read, where the request did not name them.
func (f *Featurizer) prepare(ctx context.Context, spec *dataset.Spec, plan *eventv1.Plan) (_ *prepared, err error) {
	source := plan.GetDataset()
	body, err := f.store.Open(ctx, source)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	table, err := blob.NewTemporary()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = table.Close()
		}
	}()
	counted := &counter{from: body, hash: sha256.New()}
	pass, err := newPass(spec, splitOf(plan), counted, table)
	if err != nil {
		return nil, err
	}
	err = pass.read(ctx, func(rows int64) {
		stage.Report(ctx, stage.Progress{Activity: "reading rows", Done: rows, Total: estimate(rows, counted.size, source.GetSize())})
	})
	if err != nil {
		return nil, err
	}
	if source.GetSha256() == "" {
		source.Sha256, source.Size = hex.EncodeToString(counted.hash.Sum(nil)), counted.size
	}
	return pass.result(table)
}

// estimate returns about how many rows there are in size bytes, if there are so
// many in those that were read; 0 if the size is unknown.
func estimate(rows, read, size int64) int64 {
	if size == 0 {
		return 0
	}
	return max(rows, int64(float64(rows)*float64(size)/float64(read)))
}

func splitOf(plan *eventv1.Plan) dataset.Split {
	s := plan.GetSplit()
	return dataset.Split{Test: s.GetTest(), Validation: s.GetValidation(), Salt: s.GetSalt()}
}

// counter counts and hashes what is read.
type counter struct {
	from io.Reader
	hash hash.Hash
	size int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.hash.Write(p[:n])
	c.size += int64(n)
	return n, err
}

// pass is everything that sees each row.
type pass struct {
	reader  *dataset.Reader
	fitter  *feature.Fitter
	writer  *feature.Writer
	profile *profile.Profiler
}

func newPass(spec *dataset.Spec, split dataset.Split, in io.Reader, table io.Writer) (*pass, error) {
	reader, err := dataset.NewReader(in, spec, split)
	if err != nil {
		return nil, err
	}
	return &pass{reader, feature.NewFitter(spec, split), feature.NewWriter(table, spec), profile.New(spec)}, nil
}

// read takes all rows in.
func (p *pass) read(ctx context.Context, report func(rows int64)) error {
	var row dataset.Row
	for n := int64(1); ; n++ {
		if ctx.Err() != nil {
			return churn.E("featurizer.read", churn.Transient, context.Cause(ctx))
		}
		err := p.reader.Next(&row)
		if errors.Is(err, io.EOF) {
			return p.reader.Close()
		}
		if err != nil {
			return err
		}
		if err := p.add(&row); err != nil {
			return err
		}
		if n%reportEvery == 0 {
			report(n)
		}
	}
}

func (p *pass) add(row *dataset.Row) error {
	if err := p.fitter.Add(row); err != nil {
		return err
	}
	p.profile.Add(row)
	return p.writer.Write(row)
}

// result ends the pass.
func (p *pass) result(table *blob.Temporary) (*prepared, error) {
	if err := p.writer.Close(); err != nil {
		return nil, err
	}
	preprocessor, err := p.fitter.Preprocessor()
	if err != nil {
		return nil, err
	}
	out := &prepared{table: table}
	if out.preprocessor, err = preprocessor.JSON(); err != nil {
		return nil, err
	}
	if out.profile, err = p.profile.Document(p.reader).JSON(); err != nil {
		return nil, err
	}
	for part, classes := range p.reader.Counts() {
		out.counts[part] = classes[0] + classes[1]
	}
	return out, nil
}
