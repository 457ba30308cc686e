// Package s3 is an object store behind the S3 API: MinIO, Amazon's, or the
// embedded one.
//
// Objects are written by one conditional PUT of known size, never by a
// multipart upload: of the stores that were tried, only MinIO honours
// If-None-Match on those.
package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
)

const (
	// attempts at one request, with growing pauses; the stage tries again later.
	attempts = 3
	// conns to the store that stay open when idle.
	conns = 64
	// digestKey is the user metadata in which Stat finds the digest.
	digestKey = "sha256"
)

// Config says where the bucket is. The names in the comments are those of the
// environment variables that errors refer to.
type Config struct {
	Endpoint  string // http://host:port or https://host:port (MLFLOW_S3_ENDPOINT_URL)
	AccessKey string // AWS_ACCESS_KEY_ID
	SecretKey string // AWS_SECRET_ACCESS_KEY
	Region    string // AWS_REGION; empty means us-east-1
	Bucket    string // CHURN_BUCKET
	// Transport makes the connections; nil means one that keeps them open.
	Transport http.RoundTripper
}

// Store is a blob.Store of one bucket. It is safe for concurrent use.
type Store struct {
	core     *minio.Core
	endpoint string
	bucket   string
	region   string

	connections *http.Client // with the transport of core
}

var _ blob.Store = (*Store)(nil)

// New returns the store. It does not connect; see Ping and EnsureBucket.
func New(c Config) (*Store, error) {
	const op = "s3.New"
	u, err := url.Parse(c.Endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") {
		return nil, churn.Errorf(op, churn.Invalid,
			"MLFLOW_S3_ENDPOINT_URL must be http://host:port or https://host:port, without a path or credentials")
	}
	switch {
	case c.AccessKey == "" || c.SecretKey == "":
		return nil, churn.Errorf(op, churn.Invalid, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set")
	case c.Bucket == "":
		return nil, churn.Errorf(op, churn.Invalid, "CHURN_BUCKET must be set")
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Transport == nil {
		c.Transport = transport()
	}
	core, err := minio.NewCore(u.Host, &minio.Options{
		Creds:      credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""),
		Secure:     u.Scheme == "https",
		Region:     c.Region,
		Transport:  c.Transport,
		MaxRetries: attempts,
	})
	if err != nil {
		return nil, churn.Errorf(op, churn.Invalid, "object store at %s: %w", u.Host, err)
	}
	return &Store{
		core: core, endpoint: u.Scheme + "://" + u.Host, bucket: c.Bucket, region: c.Region,
		connections: &http.Client{Transport: c.Transport},
	}, nil
}

// Client returns the client that the Store is made of, for other buckets of the
// same object store.
func (s *Store) Client() *minio.Client { return s.core.Client }

// Close closes the connections that are open and idle. A store that is stopping
// may wait for those. The Store can still be used.
func (s *Store) Close() error {
	s.connections.CloseIdleConnections()
	return nil
}

func transport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConns:          conns,
		MaxIdleConnsPerHost:   conns,
		IdleConnTimeout:       time.Minute,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		ExpectContinueTimeout: time.Second,
		// An object's bytes are what is hashed: never decompress them.
		DisableCompression: true,
	}
}

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, key, mediaType string, body io.ReadSeeker) (*blob.Artifact, error) {
	const op = "s3.Put"
	if err := blob.CheckKey(op, key); err != nil {
		return nil, err
	}
	size, sum, err := blob.Digest(body)
	if err != nil {
		return nil, churn.E(op, churn.Internal, err)
	}
	if size > blob.MaxObject {
		return nil, churn.Errorf(op, churn.Invalid, "%s has %d bytes: a single PUT takes at most %d", s.URI(key), size, int64(blob.MaxObject))
	}
	a := &blob.Artifact{Uri: s.URI(key), Sha256: sum, Size: size, MediaType: mediaType}
	_, err = s.core.Client.PutObject(ctx, s.bucket, key, keepOpen{body}, size, putOptions(mediaType, size, sum))
	if err == nil {
		return a, nil
	}
	if !lost(err) && (!brokenOff(err) || !s.has(ctx, key)) {
		return nil, s.fail(op, s.URI(key), err)
	}
	if err := s.sameAs(ctx, op, key, sum); err != nil {
		return nil, err
	}
	return a, nil
}

// brokenOff reports whether the connection broke before the store had answered.
// One that refuses a write because an object is there may answer and close
// before it has read the body, and its answer is lost.
func brokenOff(err error) bool {
	return !errors.As(err, new(minio.ErrorResponse))
}

func (s *Store) has(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// keepOpen hides a body's Close, which the client would call.
type keepOpen struct{ io.ReadSeeker }

func putOptions(mediaType string, size int64, sum string) minio.PutObjectOptions {
	raw, _ := hex.DecodeString(sum)
	o := minio.PutObjectOptions{
		ContentType:      mediaType,
		DisableMultipart: true,
		// The client signs bodies chunk by chunk and sends an empty one without its
		// length; some stores leave the last chunk to the connection's next request.
		DisableContentSha256: size == 0,
		UserMetadata: map[string]string{
			"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(raw),
			digestKey:               sum,
		},
	}
	o.SetMatchETagExcept("*")
	return o
}

// lost reports whether another writer was first.
func lost(err error) bool {
	r := minio.ToErrorResponse(err)
	return r.StatusCode == http.StatusPreconditionFailed || r.Code == "PreconditionFailed" ||
		r.Code == "ConditionalRequestConflict"
}

// sameAs returns nil if the object at key has the digest sum, and a Conflict
// otherwise.
func (s *Store) sameAs(ctx context.Context, op, key, sum string) error {
	there, err := s.Stat(ctx, key)
	if churn.IsKind(err, churn.NotFound) { // it has not finished, and may fail
		return churn.Errorf(op, churn.Transient, "%s is being written by another: try again", s.URI(key))
	}
	if err != nil {
		return err
	}
	old := there.GetSha256()
	if old == "" { // written by something else: its bytes tell
		if old, err = s.hash(ctx, key); err != nil {
			return err
		}
	}
	if old != sum {
		return churn.Errorf(op, churn.Conflict, "%s is there already with SHA-256 %s, not %s", there.GetUri(), old, sum)
	}
	return nil
}

// Get implements blob.Store.
func (s *Store) Get(ctx context.Context, a *blob.Artifact, limit int64) ([]byte, error) {
	const op = "s3.Get"
	if err := blob.CheckGet(op, a, limit); err != nil {
		return nil, err
	}
	body, err := s.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return blob.ReadAll(op, a, body, limit)
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, a *blob.Artifact) (io.ReadCloser, error) {
	const op = "s3.Open"
	key, err := s.Key(a.GetUri())
	if err != nil {
		return nil, err
	}
	body, err := s.open(ctx, op, key)
	if err != nil {
		return nil, err
	}
	return blob.Verify(op, a, body), nil
}

func (s *Store) open(ctx context.Context, op, key string) (io.ReadCloser, error) {
	body, _, _, err := s.core.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, s.fail(op, s.URI(key), err)
	}
	return &stream{body, func(err error) error { return s.fail(op, s.URI(key), err) }}, nil
}

// stream gives the errors of a broken connection their kind.
type stream struct {
	io.ReadCloser
	fail func(error) error
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = s.fail(err)
	}
	return n, err
}

func (s *Store) hash(ctx context.Context, key string) (sum string, err error) {
	body, err := s.open(ctx, "s3.hash", key)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	return blob.Sum(body)
}

// Stat implements blob.Store. The digest is empty for an object that was not
// written by Put.
func (s *Store) Stat(ctx context.Context, key string) (*blob.Artifact, error) {
	const op = "s3.Stat"
	if err := blob.CheckKey(op, key); err != nil {
		return nil, err
	}
	o, err := s.core.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{})
	if err != nil {
		return nil, s.failStat(ctx, op, key, err)
	}
	return &blob.Artifact{
		Uri:       s.URI(key),
		Sha256:    o.UserMetadata[http.CanonicalHeaderKey(digestKey)],
		Size:      o.Size,
		MediaType: o.ContentType,
	}, nil
}

// failStat tells a missing bucket from a missing object, and wrong credentials
// from an object that is not the user's: the answer to HEAD has no body that
// would.
func (s *Store) failStat(ctx context.Context, op, key string, err error) error {
	if unexplained(err) {
		if why := s.list(ctx); why != nil {
			err = why
		}
	}
	err = s.fail(op, s.URI(key), err)
	if churn.IsKind(err, churn.NotFound) {
		if p := s.Ping(ctx); p != nil {
			return p
		}
	}
	return err
}

// List implements blob.Store.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for o := range s.core.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
			if o.Err != nil {
				yield("", s.fail("s3.List", s.URI(prefix), o.Err))
				return
			}
			if !yield(o.Key, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil { // the client ends as if there were no more keys
			yield("", s.fail("s3.List", s.URI(prefix), err))
		}
	}
}

// URI implements blob.Store.
func (s *Store) URI(key string) string { return blob.URI(s.bucket, key) }

// Key implements blob.Store.
func (s *Store) Key(uri string) (string, error) { return blob.ParseURI("s3.Key", s.bucket, uri) }

// EnsureBucket implements blob.Store.
func (s *Store) EnsureBucket(ctx context.Context) error {
	const op = "s3.EnsureBucket"
	err := s.core.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: s.region})
	switch minio.ToErrorResponse(err).Code {
	case "BucketAlreadyOwnedByYou", "BucketAlreadyExists":
		return s.Ping(ctx)
	case "AccessDenied":
		return s.bucketDenied(op, "make the missing")
	}
	return s.fail(op, "bucket "+s.bucket, err)
}

// Ping implements blob.Store.
func (s *Store) Ping(ctx context.Context) error {
	const op = "s3.Ping"
	there, err := s.core.BucketExists(ctx, s.bucket)
	if there {
		return nil
	}
	if err == nil || unexplained(err) {
		err = s.list(ctx)
	}
	if minio.ToErrorResponse(err).Code == "AccessDenied" {
		return s.bucketDenied(op, "list")
	}
	return s.fail(op, "bucket "+s.bucket, err)
}

// Versioning returns whether the bucket keeps what is written over: enabled,
// suspended or off.
func (s *Store) Versioning(ctx context.Context) (string, error) {
	v, err := s.core.GetBucketVersioning(ctx, s.bucket)
	if err != nil {
		return "", s.fail("s3.Versioning", "bucket "+s.bucket, err)
	}
	if v.Status == "" {
		return "off", nil
	}
	return strings.ToLower(v.Status), nil
}

// ClockAhead returns how far this machine's clock is ahead of the store's, to
// about a second.
func (s *Store) ClockAhead(ctx context.Context) (time.Duration, error) {
	const op = "s3.ClockAhead"
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, s.endpoint, nil)
	if err != nil {
		return 0, churn.E(op, churn.Internal, err)
	}
	sent := time.Now()
	res, err := s.connections.Transport.RoundTrip(req) // whatever the answer, it has a date
	if err != nil {
		return 0, s.fail(op, "date", err)
	}
	_ = res.Body.Close()
	date, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return 0, churn.Errorf(op, churn.Internal, "object store at %s answers without a Date: %w", s.endpoint, err)
	}
	there := date.Add(time.Second / 2) // the middle of the second that it names
	return sent.Add(time.Since(sent) / 2).Sub(there), nil
}

// unexplained reports whether a HEAD was refused: its answer has no body that
// would say why.
func unexplained(err error) bool {
	status := minio.ToErrorResponse(err).StatusCode
	return status == http.StatusForbidden || status == http.StatusBadRequest
}

// list asks for one key, to be told why if that is refused.
func (s *Store) list(ctx context.Context) error {
	for o := range s.core.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{MaxKeys: 1}) {
		return o.Err
	}
	return ctx.Err()
}

// noBucket is not of kind NotFound: a missing bucket must not look like a
// missing object, which may mean "none yet".
func (s *Store) noBucket(op string) error {
	return churn.Errorf(op, churn.Internal,
		"there is no bucket %q at %s: create it or correct CHURN_BUCKET, or AWS_ACCESS_KEY_ID if that is unknown there", s.bucket, s.endpoint)
}
