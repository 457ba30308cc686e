package churn

import (
	"errors"
	"fmt"
)

// Kind classifies an error by what should be done about it.
type Kind int

const (
	// Internal is a defect or an unexpected answer: tried again some times, because
	// a restart or another machine may help.
	Internal Kind = iota
	// Invalid is bad input: data, schema, digest or request. Trying again cannot
	// help; the run fails at once and the message tells a person what to change.
	Invalid
	// Transient is a part that is away or busy: tried again for as long as it
	// takes, because no event is to blame.
	Transient
	// NotFound is an object, version or topic that is not there.
	NotFound
	// Conflict is a compare-and-swap or a conditional write that lost.
	Conflict
	// Denied is a part that answers and refuses this program: its credentials,
	// its certificate or its permissions. A program does not start with it; one
	// that runs waits, because no event is to blame.
	Denied
)

var kindNames = [...]string{"internal", "invalid", "transient", "not found", "conflict", "denied"}

func (k Kind) String() string { return kindNames[k] }

// Error is an error with the operation that failed and its kind.
type Error struct {
	Op   string // package.Function, for example dataset.Read
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// E makes an Error of operation op. It returns nil if err is nil.
func E(op string, kind Kind, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Kind: kind, Err: err}
}

// Errorf makes an Error with a formatted message.
func Errorf(op string, kind Kind, format string, args ...any) error {
	return &Error{Op: op, Kind: kind, Err: fmt.Errorf(format, args...)}
}

// KindOf returns the kind of the outermost Error in err's chain, or Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// OpOf returns the operation of the innermost Error in err's chain: where it
// went wrong. It returns "" if there is none.
func OpOf(err error) string {
	op := ""
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			break
		}
		op, err = e.Op, e.Err
	}
	return op
}

// IsKind reports whether err is of kind k.
func IsKind(err error, k Kind) bool { return err != nil && KindOf(err) == k }
