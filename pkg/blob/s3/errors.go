package s3

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/asfotec/churn/pkg/churn"
)

// fail gives an error of the client its kind and says what can be done. what
// names the object or bucket.
func (s *Store) fail(op, what string, err error) error {
	if err == nil {
		return nil
	}
	var r minio.ErrorResponse
	if !errors.As(err, &r) {
		if why := mistrust(err); why != "" {
			return churn.Errorf(op, churn.Denied, "object store at %s %s: %w", s.endpoint, why, err)
		}
		return churn.Errorf(op, churn.Transient, "object store at %s (MLFLOW_S3_ENDPOINT_URL): %s: %w", s.endpoint, what, err)
	}
	answer := fmt.Sprintf("object store at %s answered %s (%s)", s.endpoint, r.Code, http.StatusText(r.StatusCode))
	switch r.Code {
	case "NoSuchKey":
		return churn.Errorf(op, churn.NotFound, "there is no object %s", what)
	case "NoSuchBucket":
		return s.noBucket(op)
	case "InvalidAccessKeyId", "XAdminUserNotFound":
		return churn.Errorf(op, churn.Denied, "%s: %s: check AWS_ACCESS_KEY_ID", what, answer)
	case "SignatureDoesNotMatch":
		return churn.Errorf(op, churn.Denied, "%s: %s: check AWS_SECRET_ACCESS_KEY", what, answer)
	case "AuthorizationHeaderMalformed":
		return churn.Errorf(op, churn.Denied, "%s: %s: check AWS_REGION", what, answer)
	case "RequestTimeTooSkewed":
		return churn.Errorf(op, churn.Denied, "%s: %s: set this machine's clock", what, answer)
	case "400 Bad Request": // without a word of S3
		return churn.Errorf(op, churn.Denied, "%s: %s: MLFLOW_S3_ENDPOINT_URL must begin with https:// if the store speaks TLS", what, answer)
	case "AccessDenied":
		// Not Denied: it may be about this object alone, which an event names.
		return churn.Errorf(op, churn.Internal, "%s: %s: the user of AWS_ACCESS_KEY_ID may not do this", what, answer)
	case "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "RequestTimeout", "SlowDown":
		return churn.Errorf(op, churn.Transient, "%s: %s", what, answer)
	}
	switch r.StatusCode {
	case http.StatusInsufficientStorage: // somebody makes room
		return churn.Errorf(op, churn.Transient, "%s: %s: the disk of the object store is full", what, answer)
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		return churn.Errorf(op, churn.Transient, "%s: %s: %s", what, answer, r.Message)
	}
	return churn.Errorf(op, churn.Internal, "%s: %s: %s", what, answer, r.Message)
}

// mistrust says what is wrong between this client and a server that is there;
// it is empty for other errors.
func mistrust(err error) string {
	switch {
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "shows a certificate that is not trusted: check AWS_CA_BUNDLE, and that MLFLOW_S3_ENDPOINT_URL has a name in it"
	case errors.As(err, new(tls.RecordHeaderError)), strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return "does not speak TLS: MLFLOW_S3_ENDPOINT_URL must begin with http://"
	}
	return ""
}

// bucketDenied is the error of a bucket that the user may not use at all.
func (s *Store) bucketDenied(op, wish string) error {
	return churn.Errorf(op, churn.Denied,
		"object store at %s does not let the user of AWS_ACCESS_KEY_ID %s bucket %q (CHURN_BUCKET): its policy must, or another bucket or user is meant",
		s.endpoint, wish, s.bucket)
}
