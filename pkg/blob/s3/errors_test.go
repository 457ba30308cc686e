package s3_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/churn"
)

// answering is a store that answers everything alike.
func answering(t *testing.T, status int, code string) s3.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		if r.Method != http.MethodHead && code != "" {
			_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
		}
	}))
	t.Cleanup(server.Close)
	return s3.Config{Endpoint: server.URL, AccessKey: "someone", SecretKey: "hunter2-hunter2", Bucket: "churn"}
}

// What a store refuses says what is to be done about it: by the program, whose
// start it ends if it is Denied, and by people, who find the setting in it.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		ping   churn.Kind
		object churn.Kind // when the same answer is about one object
		names  string
	}{
		{403, "InvalidAccessKeyId", churn.Denied, churn.Denied, "AWS_ACCESS_KEY_ID"},
		{404, "XAdminUserNotFound", churn.Denied, churn.Denied, "AWS_ACCESS_KEY_ID"},
		{403, "SignatureDoesNotMatch", churn.Denied, churn.Denied, "AWS_SECRET_ACCESS_KEY"},
		{400, "AuthorizationHeaderMalformed", churn.Denied, churn.Denied, "AWS_REGION"},
		{403, "RequestTimeTooSkewed", churn.Denied, churn.Denied, "clock"},
		{403, "AccessDenied", churn.Denied, churn.Internal, "AWS_ACCESS_KEY_ID"},
		{400, "", churn.Denied, churn.Denied, "https://"},
	} {
		t.Run(fmt.Sprintf("%d %s", test.status, test.code), func(t *testing.T) {
			t.Parallel()
			s := open(t, answering(t, test.status, test.code))
			_, statErr := s.Stat(t.Context(), "key")
			for what, is := range map[string]struct {
				err  error
				kind churn.Kind
			}{
				"Ping":         {s.Ping(t.Context()), test.ping},
				"EnsureBucket": {s.EnsureBucket(t.Context()), test.ping},
				"Put":          {second(s.Put(t.Context(), "key", "", strings.NewReader("x"))), test.object},
				"Stat":         {statErr, test.object},
				"List":         {list(s), test.object},
			} {
				if test.status == http.StatusNotFound && what == "Stat" { // as one that is not there
					continue
				}
				if !churn.IsKind(is.err, is.kind) || !strings.Contains(is.err.Error(), test.names) {
					t.Errorf("%s: error is %v, not one of kind %v that names %s", what, is.err, is.kind, test.names)
				}
				if is.err != nil && strings.Contains(is.err.Error(), "hunter2") {
					t.Errorf("%s: the error holds a secret", what)
				}
			}
			if err := s.Ping(t.Context()); test.code == "AccessDenied" && !strings.Contains(err.Error(), "CHURN_BUCKET") {
				t.Errorf("%v does not name CHURN_BUCKET", err)
			}
		})
	}
}

// By TLS: a certificate that is not trusted, TLS where none is, and none where
// there is.
func TestMistrust(t *testing.T) {
	secure, plain := httptest.NewTLSServer(http.NotFoundHandler()), httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	t.Cleanup(plain.Close)
	for names, endpoint := range map[string]string{
		"AWS_CA_BUNDLE":            secure.URL,
		"must begin with http://":  strings.Replace(plain.URL, "http", "https", 1),
		"must begin with https://": strings.Replace(secure.URL, "https", "http", 1),
	} {
		s := open(t, s3.Config{Endpoint: endpoint, AccessKey: "a", SecretKey: "s", Bucket: "churn"})
		if err := s.Ping(t.Context()); !churn.IsKind(err, churn.Denied) || !strings.Contains(err.Error(), names) {
			t.Errorf("%s: error is %v, not Denied with %q", endpoint, err, names)
		}
	}
}

func TestClockAhead(t *testing.T) {
	const hour = time.Hour
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	c := s3.Config{Endpoint: server.URL, AccessKey: "a", SecretKey: "s", Bucket: "b"}
	if ahead, err := open(t, c).ClockAhead(t.Context()); err != nil || (ahead-hour).Abs() > time.Minute {
		t.Errorf("ahead by %v, not an hour: %v", ahead, err)
	}
	c.Endpoint = "http://127.0.0.1:1"
	if _, err := open(t, c).ClockAhead(t.Context()); !churn.IsKind(err, churn.Transient) {
		t.Errorf("of a store that is away: %v", err)
	}
}
