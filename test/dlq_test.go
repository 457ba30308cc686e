package test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/blob"
	"github.com/asfotec/churn/pkg/churn"
)

type letterList struct {
	Groups []struct {
		Group   string `json:"group"`
		Service string `json:"service"`
		Reason  string `json:"reason"`
		Count   int    `json:"count"`
		Example string `json:"example"`
	} `json:"groups"`
	Letters []letterRow `json:"letters"`
}

type letterRow struct {
	Letter string `json:"letter"`
	Run    string `json:"run"`
	State  string `json:"state"`
	Result string `json:"result"`
}

// A run whose data was not there ends, once it is and the dead letter is redriven,
// as the same run ends that nothing has happened to.
func TestRedriveEndsTheRunAsIfNothingHadHappened(t *testing.T) {
	t.Parallel()
	data, digest := telcoDigest(t)
	uri := blob.URI("churn", churn.DatasetKey(digest))
	asks := func(id string) []string { return request(id, "--data", uri) }

	undisturbed := newStack(t)
	undisturbed.up("--serve=false")
	var want runDetail
	undisturbed.want(0, nil, request("before", "--data", data, "--dry-run")...) // which stores it
	undisturbed.want(0, &want, asks("same")...)

	s := newStack(t)
	s.up("--serve=false")
	var failed, other runDetail
	s.want(4, &failed, asks("same")...)
	s.want(4, &other, asks("other")...)
	if failed.Run != want.Run || failed.Status != "failed" {
		t.Fatalf("run %s is %s", failed.Run, failed.Status)
	}

	var list letterList
	s.want(0, &list, "dlq", "list", "--letters")
	if len(list.Groups) != 1 || list.Groups[0].Count != 2 || list.Groups[0].Service != "featurizer" || len(list.Letters) != 2 {
		t.Fatalf("dead letters: %+v", list)
	}
	shown := s.want(0, nil, "dlq", "show", list.Letters[0].Letter)
	for _, word := range []string{failed.Run, "what to do", "Put it there", uri, "failed"} {
		if !strings.Contains(shown.stdout, word) {
			t.Errorf("dlq show does not say %q:\n%s", word, shown.stdout)
		}
	}

	s.want(0, nil, request("before", "--data", data, "--dry-run")...) // mended
	redrive := []string{"dlq", "redrive", "--run", failed.Run[:8], "--by", "test"}
	var results []letterRow
	s.want(0, &results, append(redrive, "--dry-run")...)
	if len(results) != 1 || results[0].Result != "would be redriven" {
		t.Errorf("a dry run says %+v", results)
	}
	s.want(0, &results, redrive...)
	if len(results) != 1 || results[0].Result != "redriven" || results[0].Run != failed.Run {
		t.Errorf("the redrive says %+v", results)
	}
	got := s.awaitStatus(failed.Run, "promoted")
	if got.Version != 1 || !maps.Equal(got.digests(), want.digests()) {
		t.Errorf("version %d with digests\n%v, not\n%v", got.Version, got.digests(), want.digests())
	}

	// Once is enough; the other letter is still there, until somebody drops it.
	s.want(2, nil, redrive...)
	s.want(1, nil, "dlq", "redrive", results[0].Letter, "--by", "test")
	s.want(0, &list, "dlq", "list", "--letters")
	if len(list.Letters) != 1 || list.Letters[0].Run != other.Run {
		t.Fatalf("after the redrive: %+v", list.Letters)
	}
	s.want(0, &results, "dlq", "drop", "--group", list.Groups[0].Group, "--reason", "one was enough", "--by", "test")
	var left letterList
	s.want(0, &left, "dlq", "list", "--letters")
	s.want(0, &list, "dlq", "list", "--letters", "--all")
	if len(left.Letters) != 0 || len(list.Letters) != 2 || list.Letters[0].State != "redriven" || list.Letters[1].State != "dropped" {
		t.Errorf("in the end %+v, and of all %+v", left.Letters, list.Letters)
	}
	shown = s.want(0, nil, "dlq", "show", list.Letters[1].Letter)
	if !strings.Contains(shown.stdout, "one was enough") {
		t.Errorf("dlq show does not say why it was dropped:\n%s", shown.stdout)
	}

	// Again: what is finished is found, and the run stays what it is.
	s.want(0, nil, "dlq", "redrive", "featurizer", "--all", "--again", "--by", "test")
	if again := s.awaitStatus(other.Run, "rejected", "promoted"); again.Run != other.Run {
		t.Errorf("run %s", again.Run)
	}
	if again := s.awaitStatus(failed.Run, "promoted"); again.Version != 1 {
		t.Errorf("redriven again it is version %d", again.Version)
	}
}

// telcoDigest returns the training data's file and its digest.
func telcoDigest(t *testing.T) (path, digest string) {
	t.Helper()
	path, err := filepath.Abs(telco())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if digest, err = blob.Sum(f); err != nil {
		t.Fatal(err)
	}
	return path, digest
}

// awaitStatus waits until the run has one of the statuses.
func (s *aStack) awaitStatus(run string, statuses ...string) (d runDetail) {
	s.t.Helper()
	eventually(s.t, "run "+run+" to be "+strings.Join(statuses, " or "), func() error {
		d = runDetail{}
		s.want(0, &d, "show", run)
		if slices.Contains(statuses, d.Status) {
			return nil
		}
		return fmt.Errorf("it is %s", d.Status)
	})
	return d
}
