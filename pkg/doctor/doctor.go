// Package doctor checks what a program of the pipeline depends on, changes
// nothing that matters, and says what to do about what is wrong.
package doctor

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Timeout bounds all checks together, as they are made at the same time.
const Timeout = 8 * time.Second

// Status is how a check went.
type Status string

// The states: a warning is of something that works and may not for long.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Finding is what a check says.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"` // what to do about it
}

// Check is one thing to look at.
type Check struct {
	Name string
	Try  func(context.Context) Finding // without its Check
}

// Run makes the checks, all at once, and returns what each says, in their
// order. One that does not end in time fails.
func Run(ctx context.Context, checks ...Check) []Finding {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	findings := make([]Finding, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { findings[i] = c.within(ctx) })
	}
	wg.Wait()
	return findings
}

// overtime is how long a check may take to notice that its time is over.
const overtime = time.Second

// within makes the check, and leaves it behind if it does not heed its context.
func (c Check) within(ctx context.Context) Finding {
	done := make(chan Finding, 1)
	go func() { done <- c.Try(ctx) }()
	f := Finding{Status: Fail, Found: fmt.Sprintf("no answer within %s", Timeout)}
	select {
	case f = <-done:
	case <-ctx.Done():
		select {
		case f = <-done:
		case <-time.After(overtime):
		}
	}
	f.Check = c.Name
	return f
}

// Failed returns the names of the checks that failed.
func Failed(findings []Finding) (names []string) {
	for _, f := range findings {
		if f.Status == Fail {
			names = append(names, f.Check)
		}
	}
	return names
}

// Print writes the findings for people, each with its advice below.
func Print(w io.Writer, findings []Finding) {
	for _, f := range findings {
		status := string(f.Status)
		if f.Status == Fail {
			status = strings.ToUpper(status) // to be seen among many
		}
		_, _ = fmt.Fprintf(w, "%-5s %-13s %s\n", status, f.Check, f.Found)
		if f.Advice != "" {
			_, _ = fmt.Fprintf(w, "%-19s   → %s\n", "", f.Advice)
		}
	}
}

func ok(format string, args ...any) Finding {
	return Finding{Status: OK, Found: fmt.Sprintf(format, args...)}
}

func warn(advice, format string, args ...any) Finding {
	return Finding{Status: Warn, Found: fmt.Sprintf(format, args...), Advice: advice}
}

// fail is a check that failed with err, whose message names the setting.
func fail(err error) Finding { return Finding{Status: Fail, Found: err.Error()} }
