package notifier

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/asfotec/churn/pkg/churn"
)

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 4 << 10

// poster posts to one URL.
type poster struct {
	op     string
	url    string // may hold a secret
	client *http.Client
}

func newPoster(op, url string, trust *x509.CertPool) poster {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12}
	t.MaxResponseHeaderBytes = 64 << 10
	return poster{op, url, &http.Client{
		Transport: t,
		// What is posted is for this URL alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// post posts a JSON body; its error is as a Channel's.
func (p poster) post(ctx context.Context, body []byte, header http.Header) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return churn.E(p.op, churn.Invalid, unlinked(err))
	}
	r.Header = header.Clone()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "churn-notifier")
	answer, err := p.client.Do(r)
	if err != nil {
		return churn.E(p.op, churn.Internal, unlinked(err))
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // the status has said it all
	return p.verdict(answer, text)
}

func (p poster) verdict(answer *http.Response, text []byte) error {
	status := answer.StatusCode
	switch {
	case status/100 == 2:
		return nil
	case status/100 == 3:
		return churn.Errorf(p.op, churn.Invalid, "answers %s and would have it posted elsewhere, which is not done: name the right URL", clean(answer.Status, maxWord))
	case status/100 == 5, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		err := churn.Errorf(p.op, churn.Internal, "answers %s", said(answer.Status, text))
		if after := retryAfter(answer.Header.Get("Retry-After")); after > 0 {
			return &Busy{after, err}
		}
		return err
	}
	return churn.Errorf(p.op, churn.Invalid, "refuses it with %s", said(answer.Status, text))
}

// word is what an answer may be repeated of: a code such as Slack's
// channel_is_archived. Other answers may quote the URL.
var word = regexp.MustCompile(`^[a-z_]{1,60}$`)

func said(status string, text []byte) string {
	status = clean(status, maxWord)
	if code := strings.TrimSpace(string(text)); word.MatchString(code) {
		return fmt.Sprintf("%s (%s)", status, code)
	}
	return status
}

// retryAfter reads a Retry-After, of seconds or a date; what is neither is 0.
func retryAfter(v string) time.Duration {
	if at, err := http.ParseTime(v); err == nil {
		return at.Sub(now())
	}
	seconds, err := strconv.ParseUint(strings.TrimSpace(v), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// unlinked takes the URL out of the error: it may hold a secret.
func unlinked(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
