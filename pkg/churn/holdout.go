package churn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	eventv1 "github.com/asfotec/churn/proto/gen/go/asfotec/churn/event/v1"
)

// Holdout returns what tells the rows of the plan's hold-out from others: the data
// and what chooses rows from it.
func Holdout(p *eventv1.Plan) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %v %q",
		p.GetDataset().GetSha256(), p.GetSpec().GetSha256(), p.GetSplit().GetTest(), p.GetSplit().GetSalt()))
	return hex.EncodeToString(sum[:16])
}
