package main

import (
	"strconv"
	"strings"
	"time"
)

// timeFlag is a flag that names a time.
type timeFlag struct{ time.Time }

const timeHelp = "RFC 3339, a day as 2026-01-31 (its beginning here), or how long ago, as 90m, 2h ago, 3d ago"

// String implements pflag.Value.
func (f *timeFlag) String() string {
	if f.IsZero() {
		return ""
	}
	return f.Format(time.RFC3339)
}

// Type implements pflag.Value.
func (f *timeFlag) Type() string { return "TIME" }

// Set implements pflag.Value.
func (f *timeFlag) Set(text string) (err error) {
	f.Time, err = parseWhen(text, time.Now())
	return err
}

// parseWhen reads a time as people name it.
func parseWhen(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		return t, nil
	}
	ago := strings.TrimSpace(strings.TrimSuffix(text, "ago"))
	if days, ok := strings.CutSuffix(ago, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(ago); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, usageErrorf("%q is no time: it is %s", text, timeHelp)
}
