package s3_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/blob/blobtest"
	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/embedded"
)

// One store serves the tests, each with a bucket of its own: a process can have
// but one at a time.
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

var buckets atomic.Int64

func open(t *testing.T, on *embedded.Store) blob.Store {
	t.Helper()
	s, err := s3.New(s3.Config{
		Endpoint: on.Endpoint(), AccessKey: on.AccessKey(), SecretKey: on.SecretKey(),
		Bucket: fmt.Sprintf("bucket-%d", buckets.Add(1)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	on := startStore(t)
	blobtest.Store(t, func(t *testing.T) blob.Store {
		s := open(t, on)
		if err := s.EnsureBucket(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// What is set wrongly is named in the error, and no secret is.
func TestWrongSettings(t *testing.T) {
	on := startStore(t)
	good := s3.Config{Endpoint: on.Endpoint(), AccessKey: on.AccessKey(), SecretKey: on.SecretKey(), Bucket: "wrong-settings"}
	for name, test := range map[string]struct {
		change func(*s3.Config)
		say    string
		kind   churn.Kind // never Invalid or NotFound: it is no fault of a run
	}{
		"secret":   {func(c *s3.Config) { c.SecretKey = "wr0ng-s3cret" }, "AWS_SECRET_ACCESS_KEY", churn.Internal},
		"key":      {func(c *s3.Config) { c.AccessKey = "nobody" }, "AWS_ACCESS_KEY_ID", churn.Internal},
		"bucket":   {func(*s3.Config) {}, "CHURN_BUCKET", churn.Internal},
		"endpoint": {func(c *s3.Config) { c.Endpoint = "http://127.0.0.1:1" }, "MLFLOW_S3_ENDPOINT_URL", churn.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			test.change(&c)
			s, err := s3.New(c)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for what, err := range map[string]error{"Ping": s.Ping(ctx), "Put": second(s.Put(ctx, "key", "text/plain", strings.NewReader("x")))} {
				if err == nil || !strings.Contains(err.Error(), test.say) || strings.Contains(err.Error(), c.SecretKey) {
					t.Errorf("%s: %v: it must name %s and no secret", what, err, test.say)
				}
				if got := churn.KindOf(err); got != test.kind {
					t.Errorf("%s: %v is of kind %v, want %v", what, err, got, test.kind)
				}
			}
		})
	}
	for name, c := range map[string]s3.Config{
		"no endpoint":      {AccessKey: "a", SecretKey: "b", Bucket: "c"},
		"no scheme":        {Endpoint: "store:9000", AccessKey: "a", SecretKey: "b", Bucket: "c"},
		"with credentials": {Endpoint: "http://a:b@store", AccessKey: "a", SecretKey: "b", Bucket: "c"},
		"no key":           {Endpoint: "http://store", SecretKey: "b", Bucket: "c"},
		"no bucket":        {Endpoint: "http://store", AccessKey: "a", SecretKey: "b"},
	} {
		if _, err := s3.New(c); !churn.IsKind(err, churn.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ *blob.Artifact, err error) error { return err }
