package mlflow

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/stage/fault"
)

const (
	proxyPath = "/api/2.0/mlflow-artifacts/artifacts/"
	// An upload may take uploadTime, and a second more for each uploadRate bytes.
	uploadTime = time.Minute
	uploadRate = 1 << 20
)

// copyArtifact copies an artifact of the pipeline to a path among those of the
// run. Copied again it is the same.
func (s *runs) copyArtifact(ctx context.Context, m *run, at string, a *blob.Artifact) error {
	body, err := s.store.Open(ctx, a)
	if err != nil {
		return err
	}
	held := &heldBack{r: bufio.NewReader(body)}
	err = s.upload(ctx, m, at, a.GetMediaType(), a.GetSize(), held)
	if broken := held.end(); broken != nil { // the upload broke off for it
		err = broken
	}
	return errors.Join(err, body.Close())
}

// write puts bytes at a path among the run's artifacts.
func (s *runs) write(ctx context.Context, m *run, at string, data []byte) error {
	return s.upload(ctx, m, at, "", int64(len(data)), bytes.NewReader(data))
}

func (s *runs) upload(ctx context.Context, m *run, at, media string, size int64, body io.Reader) error {
	const op = "mlflow.upload"
	u, err := url.Parse(m.Info.Artifacts)
	if err != nil {
		return churn.Errorf(op, churn.Internal, "MLflow at %s names a place for artifacts that is no URI", s.client.base)
	}
	key := strings.TrimPrefix(path.Join(u.Path, at), "/")
	if err := blob.CheckKey(op, key); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, uploadTime+time.Duration(size/uploadRate)*time.Second)
	defer cancel()
	put := s.client.through
	switch {
	case u.Scheme == "mlflow-artifacts" && (u.Host == "" || strings.Contains(s.client.base, "://"+u.Host+"/") || strings.HasSuffix(s.client.base, "://"+u.Host)):
	case u.Scheme == "s3" && s.client.config.Objects != nil:
		put = func(ctx context.Context, key, media string, size int64, body io.Reader) error {
			return s.client.direct(ctx, u.Host, key, media, size, body)
		}
	default:
		return churn.Errorf(op, churn.Internal,
			"the experiment keeps its artifacts at %.200q, where this client cannot put any: start the MLflow server with --artifacts-destination, or with --default-artifact-root s3://… and set MLFLOW_S3_ENDPOINT_URL here; then name a new experiment (MLFLOW_EXPERIMENT_NAME), since this one keeps its place",
			m.Info.Artifacts)
	}
	fault.Point("mlflow.artifacts." + at + ".before")
	if err := put(ctx, key, media, size, body); err != nil {
		return err
	}
	fault.Point("mlflow.artifacts." + at + ".after")
	return nil
}

// through puts an artifact through the tracking server.
func (c *Client) through(ctx context.Context, key, media string, size int64, body io.Reader) error {
	const op = "mlflow.through"
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, c.base+proxyPath+(&url.URL{Path: key}).EscapedPath(), body)
	if err != nil {
		return churn.E(op, churn.Internal, err)
	}
	if req.ContentLength = size; size == 0 {
		req.Body = http.NoBody
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	_, err = c.send("mlflow-artifacts/"+key, req)
	return unblamed(op, c.blame(ctx, err)) // the store behind the server may be away
}

// direct puts an artifact into the object store itself. One that is there is
// replaced: MLflow's artifacts are no part of the pipeline's.
func (c *Client) direct(ctx context.Context, bucket, key, media string, size int64, body io.Reader) error {
	const op = "mlflow.direct"
	_, err := c.config.Objects.PutObject(ctx, bucket, key, body, size, minio.PutObjectOptions{ContentType: media, DisableMultipart: true})
	if err == nil {
		return nil
	}
	what := blob.URI(bucket, key)
	r := minio.ToErrorResponse(err)
	switch {
	case r.StatusCode == 0, r.StatusCode >= 500, r.StatusCode == http.StatusTooManyRequests, r.Code == "SlowDown", r.Code == "RequestTimeout":
		return churn.Errorf(op, churn.Transient, "%s (MLFLOW_S3_ENDPOINT_URL): %w", what, err)
	case r.Code == "NoSuchBucket":
		return churn.Errorf(op, churn.Internal,
			"%s: there is no bucket %.63q at MLFLOW_S3_ENDPOINT_URL: create it, or correct the MLflow server's --default-artifact-root", what, bucket)
	}
	return churn.Errorf(op, churn.Internal, "%s: the object store answered %s: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, and what that key may write", what, r.Code)
}

// heldBack gives out an object's last byte only when what follows is known to be
// its end. An object that is not what its artifact says is an error before that,
// so that no server takes it for whole.
type heldBack struct {
	mu    sync.Mutex // a transport may go on reading after it has answered
	r     *bufio.Reader
	err   error // other than io.EOF
	ended bool
}

func (h *heldBack) Read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return 0, io.ErrClosedPipe
	}
	ahead, err := h.r.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		h.err = err
		return 0, err
	}
	n := h.r.Buffered()
	switch len(ahead) {
	case 0:
		return 0, io.EOF
	case 2:
		n--
	}
	return h.r.Read(p[:min(len(p), n)])
}

// end waits for a read that goes on, lets none begin, and returns the object's
// error.
func (h *heldBack) end() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	return h.err
}
