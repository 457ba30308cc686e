package objectstore

import (
	"regexp"
	"unicode/utf8"

	"github.com/asfotec/churn/pkg/churn"
)

// maxCause is the most bytes that an event's id may have.
const maxCause = 1024

// A name is one element of a key: no separator, no dot in front, not long.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

func checkName(op, what, n string) error {
	if !name.MatchString(n) {
		return churn.Errorf(op, churn.Invalid,
			"%.200q cannot be the name of a %s: it must begin with a letter or digit and hold at most 128 letters, digits, dots, dashes and underscores", n, what)
	}
	return nil
}

// checkCause refuses what would not be the same when it is read back.
func checkCause(op, cause string) error {
	if cause == "" || len(cause) > maxCause || !utf8.ValidString(cause) {
		return churn.Errorf(op, churn.Invalid,
			"%.200q cannot be the cause of a promotion: it must be an event's id, of UTF-8 and at most %d bytes", cause, maxCause)
	}
	return nil
}

func checkStage(op, model, stage string) error {
	if err := checkName(op, "model", model); err != nil {
		return err
	}
	if stage == versions {
		return churn.Errorf(op, churn.Invalid, "%q cannot be the name of a stage: it is where versions are kept", stage)
	}
	return checkName(op, "stage", stage)
}
