package notifier_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/asfotec/churn/pkg/blob/memory"
	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/services/notifier"
)

// hooked returns the settings of the channel alone.
func hooked(r *receiver) config.Notify {
	return config.Notify{WebhookURL: config.Secret(r.URL + "/hooks/s3cr3t-path"), WebhookSecret: secret}
}

// The signature is what another implementation computes, and one of the standard's
// own libraries accepts; it takes no other body, id or time.
func TestWebhookIsSigned(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	n := start(t, memory.New("churn"), hooked(to))
	n.run(t, record(t, promoted("request")))
	got := to.got()
	if len(got) != 1 {
		t.Fatalf("%d requests\n%s", len(got), n.log)
	}
	id, at, body := got[0].header.Get("webhook-id"), got[0].header.Get("webhook-timestamp"), got[0].body
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + at + "." + body))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); got[0].header.Get("webhook-signature") != want {
		t.Errorf("signature %s, want %s", got[0].header.Get("webhook-signature"), want)
	}
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify([]byte(body), got[0].header); err != nil {
		t.Error(err)
	}
	for header, value := range map[string]string{"Webhook-Id": id + "x", "Webhook-Timestamp": at[:len(at)-1] + "x", "Webhook-Signature": "v1,AAAA"} {
		forged := got[0].header.Clone()
		forged.Set(header, value)
		if verifier.Verify([]byte(body), forged) == nil {
			t.Errorf("another %s is accepted", header)
		}
	}
	if verifier.Verify([]byte(body+" "), got[0].header) == nil {
		t.Error("another body is accepted")
	}
}

// What is signed was computed with Python's hmac and base64.
func TestSignatureIsGolden(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef01234567")
	const want = "v1,iu4G2c+D8UrAs2XZoI+AF+ypePJWyeKiPYNuj6n4hFI="
	if got := notifier.Sign(key, "id-1", "1769860800", []byte(`{"a":1}`)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Bodies are the same at each attempt, and JSON whatever events hold.
func TestWebhookGolden(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	for name, outcome := range outcomes {
		n := start(t, memory.New("churn"), hooked(to))
		n.run(t, recordAt(t, outcome("request"), at))
		got := to.got()
		if len(got) == 0 {
			t.Fatalf("%s: nothing came\n%s", name, n.log)
		}
		last := got[len(got)-1]
		var body struct {
			Type      string          `json:"type"`
			Timestamp time.Time       `json:"timestamp"`
			Data      notifier.Notice `json:"data"`
		}
		if err := json.Unmarshal([]byte(last.body), &body); err != nil {
			t.Fatal(err)
		}
		made, err := json.MarshalIndent(body, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".webhook.json", append(made, '\n'))
		if body.Type != "churn."+string(body.Data.Outcome) || !body.Timestamp.Equal(at) || last.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s at %s as %s", name, body.Type, body.Timestamp, last.header.Get("Content-Type"))
		}
	}
}

// What is posted goes where it is to, and nowhere else.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := newReceiver(t)
	to := newReceiver(t, answer{code: http.StatusTemporaryRedirect, header: http.Header{"Location": {elsewhere.URL + "/steal"}}})
	store := memory.New("churn")
	n := start(t, store, hooked(to))
	topics := n.run(t, record(t, promoted("request")))
	got := receipts(t, store)[notifier.Webhook]
	if len(elsewhere.got()) > 0 || len(to.got()) != 1 || len(topics) > 0 || len(got) != 1 || !strings.Contains(got[0], "elsewhere") {
		t.Errorf("%d requests elsewhere, published to %v, receipts %s", len(elsewhere.got()), topics, got)
	}
}
