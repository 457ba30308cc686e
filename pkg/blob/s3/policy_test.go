package s3_test

import (
	"testing"

	"github.com/asfotec/churn/pkg/blob/s3"
	"github.com/asfotec/churn/pkg/churn"
)

// What may be written may be read, and nothing may be deleted.
func TestPolicy(t *testing.T) {
	t.Parallel()
	got := string(s3.Policy("b", []churn.ObjectAccess{{Keys: "runs/" + churn.AnyRun + "/trainer/*", Write: true}, {Keys: "registry/*"}}))
	const want = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "List",
      "Effect": "Allow",
      "Action": [
        "s3:ListBucket"
      ],
      "Resource": [
        "arn:aws:s3:::b"
      ]
    },
    {
      "Sid": "Read",
      "Effect": "Allow",
      "Action": [
        "s3:GetObject"
      ],
      "Resource": [
        "arn:aws:s3:::b/runs/????????-????-????-????-????????????/trainer/*",
        "arn:aws:s3:::b/registry/*"
      ]
    },
    {
      "Sid": "Create",
      "Effect": "Allow",
      "Action": [
        "s3:PutObject"
      ],
      "Resource": [
        "arn:aws:s3:::b/runs/????????-????-????-????-????????????/trainer/*"
      ]
    }
  ]
}
`
	if got != want {
		t.Errorf("the policy is\n%s", got)
	}
}
