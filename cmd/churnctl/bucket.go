package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/churn"
)

func bucketCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bucket",
		Short: "Provision the bucket, and print what each service must be allowed in it",
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.bucketVerb("plan", "Show whether the bucket is there and versioned", func(_ context.Context, _ bucket, plan []bucketChange) error {
			return a.showBucket(plan)
		}),
		a.bucketVerb("apply", "Make the bucket, and have it keep what is written over or deleted", func(ctx context.Context, b bucket, plan []bucketChange) error {
			for _, c := range plan {
				if err := c.make(ctx, b); err != nil {
					return err
				}
			}
			return a.showBucket(plan)
		}),
		a.bucketVerb("verify", "Fail if the bucket is missing or not versioned", func(_ context.Context, _ bucket, plan []bucketChange) error {
			if err := a.showBucket(plan); err != nil || len(plan) == 0 {
				return err
			}
			return errors.New("the bucket is not as it should be: `churnctl bucket apply` mends it")
		}),
		policyCmd(a),
	)
	return cmd
}

func policyCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "policy SERVICE",
		Short: "Print the policy of a service's user, in the language of Amazon S3 and MinIO",
		Long: `Print what a service's user must be allowed in the bucket (CHURN_BUCKET), and
nothing else, as a policy for Amazon S3, MinIO and what is like them. The
services: ` + strings.Join(patients(), ", ") + `.`,
		Example: `  churnctl bucket policy trainer > trainer.json
  mc admin policy create store churn-trainer trainer.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if !slices.Contains(patients(), args[0]) {
				return usageErrorf("there is no service %q: it is one of %s", args[0], strings.Join(patients(), ", "))
			}
			_, err := a.out.Write(s3.Policy(a.config.Bucket, churn.Service(args[0]).Permissions().Objects))
			return err
		},
	}
}

// bucket is an object store whose bucket can be provisioned.
type bucket interface {
	BucketExists(context.Context) (bool, error)
	EnsureBucket(context.Context) error
	Versioning(context.Context) (string, error)
	EnableVersioning(context.Context) error
}

// bucketChange is one thing about the bucket that is not as it should be.
type bucketChange struct {
	What string `json:"what"`
	Is   string `json:"is"`
	Want string `json:"want"`
}

func (c bucketChange) make(ctx context.Context, b bucket) error {
	if c.What == theVersioning {
		return b.EnableVersioning(ctx)
	}
	return b.EnsureBucket(ctx)
}

// What a bucketChange is about.
const (
	theBucket     = "bucket"
	theVersioning = "versioning"
)

func (a *app) bucketVerb(use, short string, do func(context.Context, bucket, []bucketChange) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.config.S3Endpoint == "" {
				return usageErrorf("the local stack makes its own bucket: set MLFLOW_S3_ENDPOINT_URL")
			}
			store, err := a.config.Store()
			if err != nil {
				return err
			}
			b, is := store.(bucket)
			if !is {
				return errors.New("this object store cannot be provisioned")
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), provisionPatience)
			defer cancel()
			plan, err := planBucket(ctx, b, a.config.Bucket)
			if err != nil {
				return err
			}
			return do(ctx, b, plan)
		},
	}
}

// planBucket returns what is not as it should be.
func planBucket(ctx context.Context, b bucket, name string) ([]bucketChange, error) {
	there, err := b.BucketExists(ctx)
	if err != nil {
		return nil, err
	}
	versioning := "off"
	plan := []bucketChange{}
	if !there {
		plan = append(plan, bucketChange{theBucket, "missing", name})
	} else if versioning, err = b.Versioning(ctx); err != nil {
		return nil, err
	}
	if versioning != "enabled" {
		plan = append(plan, bucketChange{theVersioning, versioning, "enabled"})
	}
	return plan, nil
}

func (a *app) showBucket(plan []bucketChange) error {
	return a.print(plan, func(w io.Writer) {
		if len(plan) == 0 {
			_, _ = fmt.Fprintln(w, "The bucket is there and versioned.")
			return
		}
		var rows [][]string
		for _, c := range plan {
			rows = append(rows, []string{c.What, c.Is, c.Want})
		}
		table(w, []string{"WHAT", "IS", "WANT"}, rows)
	})
}
