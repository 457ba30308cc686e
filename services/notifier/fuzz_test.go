package notifier

import (
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/asfotec/churn/pkg/soak"
)

// Whatever a remote answers: what is said of it is short and shows no URL, and no
// notice waits for longer than a pause may be.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "200 OK", "", []byte("ok"))
	f.Add(404, "404 Not Found", "", []byte("channel_is_archived"))
	f.Add(429, "429 Too Many Requests", "2147483647", []byte(nil))
	f.Add(503, "503 \x1b[2J", "Fri, 31 Dec 9999 23:59:59 GMT", []byte("<html>"))
	f.Add(503, "503", "Thu, 01 Jan 1970 00:00:00 GMT", []byte("\xff"))
	f.Add(302, "302 Found", "-1", []byte("https://elsewhere.example"))
	p := newPoster("notifier.slack", "https://hooks.example/secret", nil)
	soak.Fuzz(f, func(t *testing.T, code int, status, retry string, text []byte) {
		answer := &http.Response{StatusCode: code, Status: status, Header: http.Header{"Retry-After": {retry}}}
		err := p.verdict(answer, text)
		if (err == nil) != (code/100 == 2) {
			t.Fatalf("status %d: %v", code, err)
		}
		if err == nil {
			return
		}
		if d := pauseOf(err); d < 0 || d > maxPause {
			t.Errorf("a pause of %v", d)
		}
		said := err.Error()
		if len(said) > 4<<10 || strings.Contains(said, "hooks.example") || strings.ContainsFunc(said, unicode.IsControl) {
			t.Errorf("%q", said)
		}
	})
}
