package blob

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/asfotec/churn/pkg/churn"
)

// maxKey is S3's limit on the bytes of a key.
const maxKey = 1024

// CheckKey returns an Invalid error unless key is a clean relative slash path.
func CheckKey(op, key string) error {
	switch {
	case key == "":
		return churn.Errorf(op, churn.Invalid, "the key is empty")
	case len(key) > maxKey:
		return churn.Errorf(op, churn.Invalid, "the key has %d bytes: at most %d are allowed", len(key), maxKey)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl) || strings.Contains(key, `\`):
		return churn.Errorf(op, churn.Invalid, "the key %q holds characters other than printable text and /", key)
	case path.IsAbs(key) || path.Clean(key) != key || key == "." || key == ".." || strings.HasPrefix(key, "../"):
		return churn.Errorf(op, churn.Invalid, "the key %q is not a clean relative path", key)
	}
	return nil
}

// URI returns the s3:// URI of a key.
func URI(bucket, key string) string { return "s3://" + bucket + "/" + key }

// ParseURI returns the key of a URI, which must be of the bucket: anything else
// is an Invalid error.
func ParseURI(op, bucket, uri string) (string, error) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	if !ok {
		return "", churn.Errorf(op, churn.Invalid, "%.200q is not an s3:// URI", uri)
	}
	other, key, _ := strings.Cut(rest, "/")
	if other != bucket {
		return "", churn.Errorf(op, churn.Invalid,
			"%.200q is in bucket %.63q: this pipeline reads bucket %q alone (CHURN_BUCKET)", uri, other, bucket)
	}
	return key, CheckKey(op, key)
}
