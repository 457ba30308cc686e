package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/bus"
	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/deadletter"
	"github.com/asfotec/churn/pkg/event"
	"github.com/asfotec/churn/pkg/fold"
)

// letterDetail is what `churnctl dlq show` says of a letter, and its JSON.
type letterDetail struct {
	letterRow
	RunStatus   fold.Status       `json:"run_status,omitempty"` // now
	From        recordPlace       `json:"from"`                 // where the original was read
	Key         string            `json:"key"`
	Headers     []headerText      `json:"headers"` // the original's
	Data        json.RawMessage   `json:"data,omitempty"`
	Undecodable string            `json:"undecodable,omitempty"`  // why there is no data
	Value       []byte            `json:"value_base64,omitempty"` // then
	LeftOut     int64             `json:"left_out,omitempty"`     // bytes of an original that is not in the letter
	Lost        string            `json:"lost,omitempty"`         // why it could not be read from where it was either
	Advice      string            `json:"advice"`
	Marks       []deadletter.Mark `json:"marks,omitempty"`
}

// recordPlace is where a record was read.
type recordPlace struct {
	Topic     string    `json:"topic"`
	Partition int       `json:"partition"`
	Offset    int64     `json:"offset"`
	Time      time.Time `json:"time"`
}

// headerText is a header of a record, quoted if it is no plain text.
type headerText struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func dlqShowCmd(a *app) *cobra.Command {
	var id deadletter.ID
	return &cobra.Command{
		Use:   "show LETTER",
		Short: "Show one dead letter: the event, why it is one, what to do",
		Long: `Show a dead letter: the event that it holds, decoded if it is one, with its
headers; why the service gave up on it; what you can do; and what was done.

An original that was too large for any topic was left out of its letter: it is read
from where it was, if it is still there.`,
		Example: `  churnctl dlq show featurizer/0/12
  churnctl dlq show featurizer/0/12 -o json`,
		Args: cobra.ExactArgs(1),
		PreRunE: func(_ *cobra.Command, args []string) (err error) {
			id, err = letterID(args[0])
			return err
		},
		RunE: a.with(readOnly, func(cmd *cobra.Command, _ []string, p *parts) error {
			d, err := p.letter(cmd.Context(), id)
			if churn.IsKind(err, churn.NotFound) {
				return &exitErr{exitUsage, fmt.Errorf("%w; `churnctl dlq list --letters --all` lists them", err)}
			}
			if err != nil {
				return err
			}
			return a.print(d, func(w io.Writer) { letterTable(w, d) })
		}),
	}
}

// letter returns all that is to be said of a letter.
func (p *parts) letter(ctx context.Context, id deadletter.ID) (letterDetail, error) {
	l, err := p.letters().Find(ctx, id)
	if err != nil {
		return letterDetail{}, err
	}
	at := l.Original
	d := letterDetail{
		letterRow: rowOf(l), From: recordPlace{deadletter.Plain(at.Topic), at.Partition, at.Offset, at.Time},
		LeftOut: l.LeftOut, Advice: l.Advice(),
	}
	if l.LeftOut > 0 {
		at, err = p.letters().Original(ctx, l)
		if err != nil && !churn.IsKind(err, churn.NotFound) {
			return d, err
		}
		if err != nil {
			d.Lost = err.Error()
		}
	}
	if err := d.content(at, l); err != nil {
		return d, err
	}
	if d.Marks, err = p.letters().Marks(ctx, l); err != nil {
		return d, err
	}
	return d, p.status(ctx, &d)
}

// maxValue is how much is shown of a value that is no event, in bytes.
const maxValue = 64 << 10

// content notes what the original holds.
func (d *letterDetail) content(original bus.Record, l deadletter.Letter) (err error) {
	d.Key, d.Headers = plainly(original.Key), []headerText{}
	for _, h := range original.Headers {
		d.Headers = append(d.Headers, headerText{deadletter.Plain(h.Key), plainly(h.Value)})
	}
	if l.Undecodable == nil {
		d.Data, err = event.JSON(l.Event)
		return err
	}
	d.Undecodable, d.Value = deadletter.Plain(l.Undecodable.Error()), original.Value[:min(len(original.Value), maxValue)]
	return nil
}

// plainly returns bytes as text, quoted if a terminal would not show them.
func plainly(b []byte) string {
	text := cut(string(b))
	if quoted := strconv.Quote(text); quoted[1:len(quoted)-1] != text {
		return quoted
	}
	return text
}

// status notes what has become of the letter's run.
func (p *parts) status(ctx context.Context, d *letterDetail) error {
	if d.Run == "" {
		return nil
	}
	runs, err := p.history(ctx)
	if err != nil {
		return err
	}
	if run := runs[d.Run]; run != nil {
		d.RunStatus = run.Status()
	}
	return nil
}

func letterTable(w io.Writer, d letterDetail) {
	_, _ = fmt.Fprintf(w, "dead letter %s: %s\n\n", d.Letter, d.State)
	pairs(w,
		"run", d.Run, "which is", string(d.RunStatus), "event", d.Event, "type", d.Type,
		"read from", fmt.Sprintf("%s[%d]@%d, %s", d.From.Topic, d.From.Partition, d.From.Offset, when(d.From.Time)),
		"attempts", fmt.Sprintf("%d, %s to %s", d.Attempts, when(d.First), when(d.Last)),
		"group", d.Group, "kind", d.Kind)
	_, _ = fmt.Fprintf(w, "\nwhy\n  %s\n\nwhat to do\n  %s\n", d.Message, d.Advice)
	if len(d.Marks) > 0 {
		_, _ = fmt.Fprintln(w, "\nwhat was done")
		marksTable(w, d.Marks)
	}
	_, _ = fmt.Fprintf(w, "\nkey %s\n", d.Key)
	headerLines := [][]string{}
	for _, h := range d.Headers {
		headerLines = append(headerLines, []string{"  " + h.Key, h.Value})
	}
	lines(w, headerLines)
	switch {
	case d.Lost != "":
		_, _ = fmt.Fprintf(w, "\nthe original of %d bytes was left out, and cannot be read: %s\n", d.LeftOut, d.Lost)
	case d.Undecodable != "":
		_, _ = fmt.Fprintf(w, "\nno event (%s):\n  %.*q\n", d.Undecodable, 4*widest, d.Value)
	default:
		_, _ = fmt.Fprintf(w, "\n%s\n", indent(d.Data))
	}
}

func marksTable(w io.Writer, marks []deadletter.Mark) {
	rows := [][]string{}
	for _, m := range marks {
		rows = append(rows, []string{"  " + when(m.At), string(m.Action), deadletter.Plain(m.By), deadletter.Plain(m.Reason)})
	}
	lines(w, rows)
}
