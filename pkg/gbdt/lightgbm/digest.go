package lightgbm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"github.com/asfotec/churn/pkg/churn"
)

// endOfTrees is the line of a model text behind which only notes follow:
// importances and parameters.
var endOfTrees = []byte("\nend of trees\n")

// TreesSHA256 returns the digest of the model text up to and with the line "end
// of trees", in lower-case hex: equal for equal trees, whatever is noted behind.
func TreesSHA256(model []byte) (string, error) {
	i := bytes.Index(model, endOfTrees)
	if i < 0 {
		return "", churn.Errorf("lightgbm.TreesSHA256", churn.Invalid, `the model text has no line "end of trees"`)
	}
	sum := sha256.Sum256(model[:i+len(endOfTrees)])
	return hex.EncodeToString(sum[:]), nil
}
