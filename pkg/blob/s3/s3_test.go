package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/blobtest"
	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/embedded"
)

// startStore starts a store for the test: a process can have but one at a time.
func startStore(t *testing.T) *embedded.Store {
	t.Helper()
	s, err := embedded.StartStore(context.Background(), t.TempDir(), "127.0.0.1:0", "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// config reaches the bucket churn of the store.
func config(on *embedded.Store) s3.Config {
	return s3.Config{Endpoint: on.Endpoint(), AccessKey: on.AccessKey(), SecretKey: on.SecretKey(), Bucket: "churn"}
}

func open(t *testing.T, c s3.Config) *s3.Store {
	t.Helper()
	s, err := s3.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// full returns a store with an object in its bucket.
func full(t *testing.T, c s3.Config, data []byte) (*s3.Store, *blob.Artifact) {
	t.Helper()
	s := open(t, c)
	if err := s.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, err := s.Put(t.Context(), "key", "text/plain", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

// foreign is a client that does as it likes.
func foreign(t *testing.T, on *embedded.Store) *minio.Client {
	t.Helper()
	c, err := minio.New(strings.TrimPrefix(on.Endpoint(), "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(on.AccessKey(), on.SecretKey(), ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c *minio.Client, key string, data []byte, metadata map[string]string) {
	t.Helper()
	_, err := c.PutObject(t.Context(), "churn", key, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{UserMetadata: metadata})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStore(t *testing.T) {
	on := startStore(t)
	client := foreign(t, on)
	blobtest.Store(t, blobtest.Backend{
		Store: open(t, config(on)),
		Tamper: func(t *testing.T, key string, data []byte) {
			there, err := client.StatObject(t.Context(), "churn", key, minio.StatObjectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			write(t, client, key, data, there.UserMetadata)
		},
	})
}

// An object that something else wrote, without a digest beside it, is known by
// its bytes.
func TestForeignObject(t *testing.T) {
	on := startStore(t)
	s, _ := full(t, config(on), nil)
	write(t, foreign(t, on), "data.csv", []byte("a,b\n"), nil)
	if _, err := s.Put(t.Context(), "data.csv", "text/csv", strings.NewReader("a,b\n")); err != nil {
		t.Error(err)
	}
	if _, err := s.Put(t.Context(), "data.csv", "text/csv", strings.NewReader("c,d\n")); !churn.IsKind(err, churn.Conflict) {
		t.Errorf("error is %v, not a Conflict", err)
	}
	a, err := s.Stat(t.Context(), "data.csv")
	if err != nil || a.GetSize() != 4 || a.GetSha256() != "" {
		t.Errorf("stat is %v, %v", a, err)
	}
}

// A missing bucket is nobody's missing object.
func TestMissingBucket(t *testing.T) {
	s := open(t, config(startStore(t)))
	a := &blob.Artifact{Uri: s.URI("key"), Sha256: strings.Repeat("0", 64), Size: 1}
	for name, err := range map[string]error{
		"Ping": s.Ping(t.Context()),
		"Put":  second(s.Put(t.Context(), "key", "", strings.NewReader("x"))),
		"Get":  second(s.Get(t.Context(), a, 1)),
		"Open": second(s.Open(t.Context(), a)),
		"Stat": second(s.Stat(t.Context(), "key")),
		"List": list(s),
	} {
		if !churn.IsKind(err, churn.Internal) || !strings.Contains(err.Error(), "CHURN_BUCKET") {
			t.Errorf("%s: error is %v, not one that names CHURN_BUCKET", name, err)
		}
	}
}

// What is set wrongly is named in the error, and no secret is.
func TestWrongSettings(t *testing.T) {
	on := startStore(t)
	full(t, config(on), nil)
	for name, test := range map[string]struct {
		change func(*s3.Config)
		names  string
		kind   churn.Kind // never Invalid or NotFound: it is no fault of a run
	}{
		"secret":   {func(c *s3.Config) { c.SecretKey = "wr0ng-s3cret" }, "AWS_SECRET_ACCESS_KEY", churn.Denied},
		"key":      {func(c *s3.Config) { c.AccessKey = "nobody" }, "AWS_ACCESS_KEY_ID", churn.Denied},
		"region":   {func(c *s3.Config) { c.Region = "eu-central-1" }, "AWS_REGION", churn.Denied},
		"bucket":   {func(c *s3.Config) { c.Bucket = "another" }, "CHURN_BUCKET", churn.Internal},
		"endpoint": {func(c *s3.Config) { c.Endpoint = "http://127.0.0.1:1" }, "MLFLOW_S3_ENDPOINT_URL", churn.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(on)
			test.change(&c)
			s := open(t, c)
			a := &blob.Artifact{Uri: s.URI("key"), Sha256: strings.Repeat("0", 64), Size: 1}
			for what, err := range map[string]error{
				"Ping": s.Ping(t.Context()),
				"Put":  second(s.Put(t.Context(), "other", "", strings.NewReader("x"))),
				"Get":  second(s.Get(t.Context(), a, 1)),
				"Stat": second(s.Stat(t.Context(), "key")),
				"List": list(s),
			} {
				if !churn.IsKind(err, test.kind) || !strings.Contains(err.Error(), test.names) {
					t.Errorf("%s: error is %v, not one of kind %v that names %s", what, err, test.kind, test.names)
				}
				if err != nil && (strings.Contains(err.Error(), c.SecretKey) || strings.Contains(err.Error(), on.SecretKey())) {
					t.Errorf("%s: the error holds a secret", what)
				}
			}
		})
	}
}

func TestSettingsAreChecked(t *testing.T) {
	good := s3.Config{Endpoint: "http://store:9000", AccessKey: "ada", SecretKey: "hunter2", Bucket: "churn"}
	for names, changes := range map[string][]func(*s3.Config){
		"MLFLOW_S3_ENDPOINT_URL": {
			func(c *s3.Config) { c.Endpoint = "" },
			func(c *s3.Config) { c.Endpoint = "store:9000" },
			func(c *s3.Config) { c.Endpoint = "ftp://store:9000" },
			func(c *s3.Config) { c.Endpoint = "http://" },
			func(c *s3.Config) { c.Endpoint = "http://store:9000/path" },
			func(c *s3.Config) { c.Endpoint = "http://ada:hunter2@store:9000" },
			func(c *s3.Config) { c.Endpoint = "http://store:port\x7f" },
		},
		"AWS_ACCESS_KEY_ID":     {func(c *s3.Config) { c.AccessKey = "" }},
		"AWS_SECRET_ACCESS_KEY": {func(c *s3.Config) { c.SecretKey = "" }},
		"CHURN_BUCKET":          {func(c *s3.Config) { c.Bucket = "" }},
	} {
		for _, change := range changes {
			c := good
			change(&c)
			_, err := s3.New(c)
			if !churn.IsKind(err, churn.Invalid) || !strings.Contains(err.Error(), names) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%+v: error is %v, not Invalid with %s and no secret", c, err, names)
			}
		}
	}
}

// faulty is a connection to a store that does badly while bad is set.
type faulty struct {
	bad    atomic.Bool
	answer func(r *http.Response) (*http.Response, error)
}

func (f *faulty) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || !f.bad.Load() {
		return res, err
	}
	return f.answer(res)
}

// An answer that breaks off, or that is none, is tried again: it says nothing
// about the object.
func TestBrokenAnswers(t *testing.T) {
	on := startStore(t)
	data := bytes.Repeat([]byte("0123456789"), 10_000)
	for name, answer := range map[string]func(*http.Response) (*http.Response, error){
		"the connection breaks": func(r *http.Response) (*http.Response, error) {
			_ = r.Body.Close()
			return nil, errors.New("connection reset")
		},
		"the body breaks off": func(r *http.Response) (*http.Response, error) {
			r.Body = &broken{r.Body, 1000}
			return r, nil
		},
		"a proxy's error": func(r *http.Response) (*http.Response, error) {
			_ = r.Body.Close()
			r.StatusCode, r.Body, r.ContentLength = http.StatusBadGateway, io.NopCloser(strings.NewReader("<html>oops")), 10
			return r, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			transport := &faulty{answer: answer}
			c := config(on)
			c.Transport = transport
			s, a := full(t, c, data)
			transport.bad.Store(true)
			if _, err := s.Get(t.Context(), a, int64(len(data))); !churn.IsKind(err, churn.Transient) {
				t.Errorf("error is %v, not Transient", err)
			}
			transport.bad.Store(false)
			if got, err := s.Get(t.Context(), a, int64(len(data))); err != nil || !bytes.Equal(got, data) {
				t.Errorf("afterwards it holds %d bytes, %v", len(got), err)
			}
		})
	}
}

// broken is a body that fails after some bytes.
type broken struct {
	io.ReadCloser
	left int
}

func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// A Put whose answer is lost has written: the client's next try finds its own
// bytes and is content.
func TestLostAnswerOfPut(t *testing.T) {
	on := startStore(t)
	transport := &faulty{}
	transport.answer = func(r *http.Response) (*http.Response, error) {
		transport.bad.Store(false)
		_ = r.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	c := config(on)
	c.Transport = transport
	s, _ := full(t, c, nil)
	transport.bad.Store(true)
	a, err := s.Put(t.Context(), "other", "text/plain", strings.NewReader("bytes"))
	if err != nil || transport.bad.Load() {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), a, 5); err != nil || string(got) != "bytes" {
		t.Errorf("it holds %q, %v", got, err)
	}
}

// A file that is written to while it is read is not stored: the digest goes with
// the bytes.
func TestBodyThatChanges(t *testing.T) {
	s, _ := full(t, config(startStore(t)), nil)
	_, err := s.Put(t.Context(), "other", "text/plain", &fickle{Reader: strings.NewReader("one")})
	if !churn.IsKind(err, churn.Transient) {
		t.Errorf("error is %v, not Transient", err)
	}
	if a, err := s.Stat(t.Context(), "other"); !churn.IsKind(err, churn.NotFound) {
		t.Errorf("stored is %v, %v", a, err)
	}
}

// fickle has other bytes once it was read.
type fickle struct {
	*strings.Reader
	read bool
}

func (f *fickle) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	f.read = f.read || err == io.EOF
	return n, err
}

func (f *fickle) Seek(offset int64, whence int) (int64, error) {
	if f.read {
		f.Reader = strings.NewReader("two")
	}
	return f.Reader.Seek(offset, whence)
}

// WriteTo would pass Read by.
func (f *fickle) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{f})
}

func second[T any](_ T, err error) error { return err }

func list(s *s3.Store) error {
	for _, err := range s.List(context.Background(), "") {
		if err != nil {
			return err
		}
	}
	return nil
}

// A store may refuse a large body that it has already before it has read it:
// however the connection ends, putting the same again succeeds.
func TestPutOfALargeObjectAgain(t *testing.T) {
	s := open(t, config(startStore(t)))
	if err := s.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("0123456789", 300_000)
	for i := range 40 {
		if _, err := s.Put(t.Context(), "large", "text/plain", strings.NewReader(large)); err != nil {
			t.Fatalf("time %d: %v", i+1, err)
		}
		if _, err := s.Put(t.Context(), "large", "text/plain", strings.NewReader(large+"other")); !churn.IsKind(err, churn.Conflict) {
			t.Fatalf("time %d: other bytes: %v", i+1, err)
		}
	}
}
