package s3

import (
	"encoding/json"
	"strings"

	"github.com/asfotec/churn/pkg/churn"
)

// uuid is a run's id in a resource's name, where ? is any character. It is as
// long as the id, so that what follows is the folder of a stage and no deeper one.
const uuid = "????????-????-????-????-????????????"

// policy is one in the language of AWS, which MinIO speaks, too.
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid      string
	Effect   string
	Action   []string
	Resource []string
}

// Policy returns the policy, as JSON, that lets a user do to the bucket what is
// given and nothing else: for MinIO, Amazon S3, and what is like them.
//
// Whoever may do anything may list the bucket, all of it: otherwise an object that
// is not there looks like one that is forbidden.
func Policy(bucket string, objects []churn.ObjectAccess) []byte {
	var read, create []string
	for _, o := range objects {
		resource := arn(bucket) + "/" + strings.ReplaceAll(o.Keys, churn.AnyRun, uuid)
		read = append(read, resource)
		if o.Write { // and read: what is there must have the same digest
			create = append(create, resource)
		}
	}
	p := policy{Version: "2012-10-17", Statement: []statement{
		{"List", "Allow", []string{"s3:ListBucket"}, []string{arn(bucket)}},
		{"Read", "Allow", []string{"s3:GetObject"}, read},
	}}
	if len(create) > 0 {
		p.Statement = append(p.Statement, statement{"Create", "Allow", []string{"s3:PutObject"}, create})
	}
	text, _ := json.MarshalIndent(p, "", "  ") // of strings alone
	return append(text, '\n')
}

func arn(bucket string) string { return "arn:aws:s3:::" + bucket }
