package main

import (
	"os"

	"github.com/spf13/cobra"
)

// personFlags say who decides something, and why.
type personFlags struct {
	by, reason string
}

func (f *personFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.by, "by", os.Getenv("USER"), "who you are, for people to read")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for people to read (required)")
}

// check wants both: what a person decides is on the log for ever.
func (f *personFlags) check() error {
	if f.reason == "" {
		return usageErrorf("--reason is missing: say why, it is kept with the decision")
	}
	return f.named()
}

// named wants to know who it is.
func (f *personFlags) named() error {
	if f.by == "" {
		return usageErrorf("--by is missing, and USER is not set: say who you are, it is kept with the decision")
	}
	return nil
}
