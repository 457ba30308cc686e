package jsonfile_test

import (
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/jsonfile"
)

type thing struct {
	Name string `json:"name"`
}

func TestThereAndBack(t *testing.T) {
	text, err := jsonfile.Encode(thing{"a < b & c"})
	if err != nil || string(text) != "{\n  \"name\": \"a < b & c\"\n}\n" {
		t.Fatalf("%q, %v", text, err)
	}
	var back thing
	if err := jsonfile.Decode(text, &back); err != nil || back.Name != "a < b & c" {
		t.Errorf("%+v, %v", back, err)
	}
	if _, err := jsonfile.Encode(func() {}); err == nil {
		t.Error("a function is JSON")
	}
}

func TestDecodeIsStrict(t *testing.T) {
	for text, say := range map[string]string{
		"":                           "EOF",
		`{"name": "a"`:               "unexpected EOF",
		`{"name": "a", "colour": 1}`: `unknown field "colour"`,
		`{"name": "a"} {}`:           "there is more behind the value",
		`{"name": "a"} x`:            "there is more behind the value",
	} {
		if err := jsonfile.Decode([]byte(text), &thing{}); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %v, want %s", text, err, say)
		}
	}
}
