package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/asfotec/churn/pkg/bus"
)

// Each service is a user whose rights are of its topics and its group.
func TestACLsOfTheServices(t *testing.T) {
	t.Parallel()
	w, err := wantedACLs("x.", "User:CN={service},O=example")
	if err != nil {
		t.Fatal(err)
	}
	var trainers []string
	for _, a := range w.acls {
		if a.Host != "*" || a.Permission != "Allow" || a.Pattern != "Literal" || !slices.Contains(w.principals, a.Principal) {
			t.Errorf("%+v", a)
		}
		if a.Principal == "User:CN=trainer,O=example" {
			trainers = append(trainers, a.Operation+" "+a.Resource+" "+a.Name)
		}
	}
	want := []string{
		"Read Topic x.features-ready", "Write Topic x.model-trained", "Write Topic x.run-failed", "Write Topic x.run-progress",
		"Read Topic x.retry.trainer", "Write Topic x.retry.trainer", "Write Topic x.dlq.trainer", "Read Group x.trainer",
	}
	if !slices.Equal(trainers, want) {
		t.Errorf("the trainer may %q", trainers)
	}
	if len(w.principals) != 7 {
		t.Errorf("the users are %q", w.principals)
	}
}

// A reason that holds for several topics is given once.
func TestChangesTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	changesTable(&out, []bus.Change{
		{Topic: "a", Setting: bus.SettingTopic, Want: "partitions: 1"},
		{Topic: "b", Setting: "replicas", Is: "1", Want: "3", Refused: "move them"},
		{Topic: "c", Setting: "replicas", Is: "1", Want: "3", Refused: "move them"},
	}, "done")
	const want = `TOPIC  SETTING   IS       WANT           
a      topic     missing  partitions: 1  done
b      replicas  1        3              REFUSED
c      replicas  1        3              REFUSED

REFUSED: replicas: b, c:
  move them
`
	if out.String() != want {
		t.Errorf("it is\n%s", out.String())
	}
}
