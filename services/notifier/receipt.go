package notifier

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/event"
)

// Result is what became of a notice.
type Result string

// The results. Only the first two leave a receipt.
const (
	Sent    Result = "sent"
	Refused Result = "refused" // the remote will never take it
	TooOld  Result = "too-old" // it happened longer ago than anybody wants to know
)

// Receipt notes that a channel is done with an event. It holds no time: whoever
// notes the same notes the same bytes.
type Receipt struct {
	Version int     `json:"version"`
	ID      string  `json:"id"` // of the notice: what the remote knows it by
	Event   string  `json:"event"`
	Outcome Outcome `json:"outcome"`
	Channel string  `json:"channel"`
	Result  Result  `json:"result"`
	Error   string  `json:"error"` // why it was refused
}

// receiptKey returns where the receipt of a notice is.
func receiptKey(e event.Event, id string) string {
	return churn.ArtifactKey(e.Run(), churn.Notifier, "notices", id+".json")
}

// noted reports whether there is a receipt.
func (n *Notifier) noted(ctx context.Context, key string) (bool, error) {
	_, err := n.store.Stat(ctx, key)
	if churn.IsKind(err, churn.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// note writes the receipt. If one is there, of another who sent the same, it
// stands.
func (n *Notifier) note(ctx context.Context, key string, r Receipt) error {
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return churn.E("notifier.note", churn.Internal, err)
	}
	_, err = n.store.Put(ctx, key, "application/json", bytes.NewReader(append(body, '\n')))
	if churn.IsKind(err, churn.Conflict) {
		return nil
	}
	return err
}
