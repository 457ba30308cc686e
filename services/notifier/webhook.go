package notifier

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/asfotec/churn/pkg/churn"
)

// webhook posts the notice as JSON, signed as Standard Webhooks has it
// (standardwebhooks.com): HMAC-SHA256 over id, timestamp and body.
type webhook struct {
	to  poster
	key []byte
}

func newWebhook(url string, key []byte, trust *x509.CertPool) Channel {
	return &webhook{newPoster("notifier.webhook", url, trust), key}
}

func (*webhook) Name() string { return Webhook }

// delivery is a webhook's body: the shape that Standard Webhooks proposes.
type delivery struct {
	Type      string    `json:"type"`      // such as churn.promoted
	Timestamp time.Time `json:"timestamp"` // when it happened: the same at each attempt
	Data      *Notice   `json:"data"`
}

// Send posts the same body under the same id at each attempt; receivers drop ids
// that they have seen. The signed timestamp is that of the attempt: receivers
// refuse one that is minutes away from their clock, so that what was overheard
// cannot be sent again.
func (w *webhook) Send(ctx context.Context, id string, n *Notice) error {
	body, err := json.Marshal(delivery{"churn." + string(n.Outcome), n.Time, n})
	if err != nil {
		return churn.E(w.to.op, churn.Invalid, err)
	}
	at := strconv.FormatInt(now().Unix(), 10)
	return w.to.post(ctx, body, http.Header{
		"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {sign(w.key, id, at, body)},
	})
}

// sign returns the signature with the version of its scheme.
func sign(key []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// now is what the clock says: nothing of it is in an artifact or event.
func now() time.Time {
	return time.Now() //nolint:forbidigo // see above
}
