package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/config"
	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

func versionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of this program and of LightGBM",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := map[string]string{
				"churnctl": config.Version, "lightgbm": lightgbm.Version,
				"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
			}
			return a.print(v, func(w io.Writer) {
				_, _ = fmt.Fprintf(w, "churnctl %s, LightGBM %s, %s %s\n", v["churnctl"], v["lightgbm"], v["go"], v["platform"])
			})
		},
	}
}
