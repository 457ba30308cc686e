package blob

import (
	"context"
	"io"

	"github.com/asfotec/churn/pkg/churn"
)

// tellEvery is how many bytes pass between two calls of what is told of progress.
const tellEvery = 16 << 20

// Fetch copies an object of at most limit bytes to a temporary file, and returns
// it once its bytes are verified: memory holds a buffer, whatever the size. progress,
// which may be nil, is told how many bytes are there, if it takes a while.
//
// Its errors are those of Store.Get, and an Internal one if there is no room.
func Fetch(ctx context.Context, s Store, a *Artifact, limit int64, progress func(bytes int64)) (*Temporary, error) {
	const op = "blob.Fetch"
	if err := CheckGet(op, a, limit); err != nil {
		return nil, err
	}
	body, err := s.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	file, err := NewTemporary()
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(file, &watched{ctx: ctx, from: body, progress: progress}); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// watched is a reader that ends with its context and tells how far it is.
type watched struct {
	ctx      context.Context
	from     io.Reader
	progress func(bytes int64)
	read     int64
}

func (w *watched) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, churn.E("blob.Fetch", churn.Transient, context.Cause(w.ctx))
	}
	n, err := w.from.Read(p)
	before := w.read / tellEvery
	w.read += int64(n)
	if w.progress != nil && w.read/tellEvery > before {
		w.progress(w.read)
	}
	return n, err
}
