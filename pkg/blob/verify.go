package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"math"

	"github.com/asfotec/churn/pkg/churn"
)

// Digest reads body from its beginning and returns its size and its SHA-256 in
// lower-case hex. It leaves body at its beginning.
func Digest(body io.ReadSeeker) (size int64, sum string, err error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return 0, "", err
	}
	if size, sum, err = hashAll(body); err != nil {
		return 0, "", err
	}
	_, err = body.Seek(0, io.SeekStart)
	return size, sum, err
}

// Sum reads r to its end and returns its SHA-256 in lower-case hex.
func Sum(r io.Reader) (string, error) {
	_, sum, err := hashAll(r)
	return sum, err
}

func hashAll(r io.Reader) (int64, string, error) {
	h := sha256.New()
	size, err := io.Copy(h, r)
	return size, hex.EncodeToString(h.Sum(nil)), err
}

// Verify returns a reader of the object's bytes that fails with an Invalid
// error, in place of io.EOF or as soon as there are too many bytes, if they are
// not those of a. Without a digest in a it returns body as it is.
func Verify(op string, a *Artifact, body io.ReadCloser) io.ReadCloser {
	if a.GetSha256() == "" {
		return body
	}
	return &verifier{op: op, artifact: a, body: body, hash: sha256.New()}
}

type verifier struct {
	op       string
	artifact *Artifact
	body     io.ReadCloser
	hash     hash.Hash
	size     int64
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.body.Read(p)
	v.hash.Write(p[:n])
	v.size += int64(n)
	if v.size > v.artifact.GetSize() {
		return 0, v.mismatch("more than %d bytes", v.artifact.GetSize())
	}
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if v.size != v.artifact.GetSize() {
		return n, v.mismatch("%d bytes, not %d", v.size, v.artifact.GetSize())
	}
	if sum := hex.EncodeToString(v.hash.Sum(nil)); sum != v.artifact.GetSha256() {
		return n, v.mismatch("SHA-256 %s, not %s", sum, v.artifact.GetSha256())
	}
	return n, io.EOF
}

func (v *verifier) mismatch(format string, args ...any) error {
	args = append([]any{v.artifact.GetUri()}, args...)
	return churn.Errorf(v.op, churn.Invalid,
		"%s is not what the event names: it has "+format+"; the object was changed or damaged after it was written", args...)
}

func (v *verifier) Close() error { return v.body.Close() }

// ReadAll reads at most limit bytes of an object that was opened for a, and
// closes it. A longer one is an Invalid error.
func ReadAll(op string, a *Artifact, body io.ReadCloser, limit int64) (data []byte, err error) {
	defer func() { err = errors.Join(err, body.Close()) }()
	data, err = io.ReadAll(io.LimitReader(body, min(limit, math.MaxInt64-1)+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, tooLarge(op, a, limit)
	}
	return data, nil
}

// CheckGet refuses what Get may not fetch: an artifact without a digest, and
// one that says that it is larger than limit.
func CheckGet(op string, a *Artifact, limit int64) error {
	if a.GetSha256() == "" {
		return churn.Errorf(op, churn.Invalid, "%.200q comes without a SHA-256: nothing is read unverified", a.GetUri())
	}
	if a.GetSize() > limit {
		return tooLarge(op, a, limit)
	}
	return nil
}

func tooLarge(op string, a *Artifact, limit int64) error {
	return churn.Errorf(op, churn.Invalid, "%.200q is larger than the limit of %d bytes", a.GetUri(), limit)
}
