package s3_test

import (
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
)

// A bucket that is not there is no error; one that cannot be asked for is.
func TestBucketExists(t *testing.T) {
	s := open(t, config(startStore(t)))
	for _, want := range []bool{false, true} {
		if there, err := s.BucketExists(t.Context()); there != want || err != nil {
			t.Errorf("there: %v, %v", there, err)
		}
		if err := s.EnsureBucket(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for code, names := range map[string]string{"InvalidAccessKeyId": "AWS_ACCESS_KEY_ID", "AccessDenied": "AWS_ACCESS_KEY_ID", "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY"} {
		refusing := open(t, answering(t, 403, code))
		there, err := refusing.BucketExists(t.Context())
		if there || err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("%s: there: %v, %v", code, there, err)
		}
		if err := refusing.EnableVersioning(t.Context()); err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("%s: %v", code, err)
		}
	}
	if _, err := open(t, answering(t, 503, "SlowDown")).BucketExists(t.Context()); !churn.IsKind(err, churn.Transient) {
		t.Errorf("busy: %v", err)
	}
	if _, err := open(t, answering(t, 507, "XMinioStorageFull")).BucketExists(t.Context()); !churn.IsKind(err, churn.Transient) || !strings.Contains(err.Error(), "is full") {
		t.Errorf("full: %v", err)
	}
}
