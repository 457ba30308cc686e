package evaluator

import (
	"bytes"
	"encoding/json"

	"github.com/asfotec/churn/pkg/churn"
)

// encode returns v as indented JSON with a final newline.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return nil, churn.E("evaluator.encode", churn.Internal, err)
	}
	return out.Bytes(), nil
}
