package deadletter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
)

// State says what has become of a letter.
type State string

// The states.
const (
	Open     State = "open"     // nobody has done anything about it
	Begun    State = "begun"    // somebody has, and was stopped: nobody knows whether it is done
	Redriven State = "redriven" // it was put back, to be tried anew
	Dropped  State = "dropped"  // nothing will come of it
)

// Settled reports whether nobody needs to look at the letter any more.
func (s State) Settled() bool { return s == Redriven || s == Dropped }

// Mark says what somebody did with a letter. It is an object that is created and
// never changed.
type Mark struct {
	Letter string    `json:"letter"`
	Action State     `json:"action"` // Redriven or Dropped
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	Token  string    `json:"token"` // makes it this one's, though two say the same
}

const (
	maxMark   = 16 << 10 // bytes
	maxText   = 4 << 10  // bytes of a reason or a name in it
	markMedia = "application/json"
	suffix    = ".json"
)

// The marks of a letter are numbered: n.json is created before anything is done,
// and so by one person alone; n.redriven.json or n.dropped.json once it is done.
// Who is stopped between the two leaves a letter that is Begun.

func (l Letter) claimKey(n int) string { return l.folder() + strconv.Itoa(n) + suffix }

func (l Letter) doneKey(n int, what State) string {
	return l.folder() + strconv.Itoa(n) + "." + string(what) + suffix
}

// tally is what the keys of a letter's marks say.
type tally struct {
	count int
	state State
}

// tallies are those of a service's letters, by folder.
type tallies map[string]tally

// of returns the letter with what was done with it.
func (t tallies) of(l Letter) Letter {
	if m, ok := t[l.folder()]; ok {
		l.State, l.marks = m.state, m.count
	}
	return l
}

// readMarks returns the tallies of the service's letters: the keys tell them, no
// object is read.
func readMarks(ctx context.Context, store blob.Store, s churn.Service) (tallies, error) {
	marks := tallies{}
	for key, err := range store.List(ctx, folderOf(s)) {
		if err != nil {
			return nil, err
		}
		cut := strings.LastIndex(key, "/") + 1
		n, state, ok := parseMark(key[cut:])
		if !ok {
			continue // nothing of ours
		}
		t := marks[key[:cut]]
		if n+1 > t.count || n+1 == t.count && state != Begun {
			marks[key[:cut]] = tally{n + 1, state}
		}
	}
	return marks, nil
}

// parseMark reads the name of a mark.
func parseMark(name string) (n int, state State, ok bool) {
	name, ok = strings.CutSuffix(name, suffix)
	number, what, done := strings.Cut(name, ".")
	count, err := strconv.ParseUint(number, 10, 20)
	state = State(what)
	if !done {
		state = Begun
	}
	return int(count), state, ok && err == nil && (state == Begun && !done || state.Settled())
}

// Marks returns what was done with the letter, the oldest first. The last may not
// have been brought to its end; see State.
func (b *Box) Marks(ctx context.Context, l Letter) ([]Mark, error) {
	var marks []Mark
	for n := range l.marks {
		m, err := b.mark(ctx, l.claimKey(n))
		if err != nil {
			return nil, err
		}
		marks = append(marks, m)
	}
	return marks, nil
}

func (b *Box) mark(ctx context.Context, key string) (m Mark, err error) {
	const op = "deadletter.Marks"
	a, err := b.store.Stat(ctx, key)
	if err != nil {
		return m, err
	}
	text, err := b.store.Get(ctx, a, maxMark)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, churn.Errorf(op, churn.Internal, "%s is damaged: %w", a.GetUri(), err)
	}
	return m, nil
}

// settle does something with the letter that only one person does, and once.
func (b *Box) settle(ctx context.Context, l Letter, m Mark, again bool, do func() error) error {
	const op = "deadletter.settle"
	switch {
	case l.State != Open && !again:
		return churn.Errorf(op, churn.Conflict, "dead letter %s %s: say --again to do it all the same", l.ID, l.State.words())
	case len(m.By) > maxText || len(m.Reason) > maxText:
		return churn.Errorf(op, churn.Invalid, "the name and the reason have at most %d bytes each", maxText)
	}
	m.Letter, m.Token = l.ID.String(), uuid.NewString()
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return churn.E(op, churn.Internal, err)
	}
	put := func(key string) error {
		_, err := b.store.Put(ctx, key, markMedia, bytes.NewReader(append(text, '\n')))
		return err
	}
	if err := put(l.claimKey(l.marks)); err != nil {
		if churn.IsKind(err, churn.Conflict) {
			return churn.Errorf(op, churn.Conflict, "somebody else is just doing something with dead letter %s: look again", l.ID)
		}
		return err
	}
	if err := do(); err != nil {
		return unknown(op, l, err)
	}
	if err := put(l.doneKey(l.marks, m.Action)); err != nil {
		return unknown(op, l, err)
	}
	return nil
}

// unknown is the error of something that was begun, of which nobody knows whether
// it is done.
func unknown(op string, l Letter, err error) error {
	return churn.E(op, churn.KindOf(err), fmt.Errorf(
		"dead letter %s: not known whether it is done; with --again it is done for sure, and twice does no harm: %w", l.ID, err))
}

// words says what has become of a letter.
func (s State) words() string {
	switch s {
	case Open:
		return "waits for somebody to look at it"
	case Begun:
		return "was begun to be redriven or dropped, and nobody knows whether that is done"
	}
	return "is " + string(s) + " already"
}
