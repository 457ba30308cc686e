package test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/churn"
)

var update = flag.Bool("update", false, "write the documents' generated tables anew")

// The tables of topics and permissions in the documents are made from the
// topology; after a change of it: go test ./test -run TestDocuments -update.
func TestDocumentsShowTheTopology(t *testing.T) {
	t.Parallel()
	for file, tables := range map[string]map[string]string{
		"README.md":        {"topics": topicsTable()},
		"deploy/README.md": {"permissions": permissionsTable(), "objects": objectsTable()},
	} {
		path := filepath.Join(root, file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := string(text)
		for name, table := range tables {
			want = replaceTable(t, want, name, table)
		}
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if want != string(text) {
			t.Errorf("%s is not what the topology says: run `go test ./test -run TestDocuments -update`", file)
		}
	}
}

// replaceTable puts the table between its markers in the text.
func replaceTable(t *testing.T, text, name, table string) string {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
	before, rest, ok := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("the markers of the table %q are missing", name)
	}
	return before + begin + table + end + after
}

func topicsTable() string {
	var b strings.Builder
	b.WriteString("| topic | key | kept | written by | read by | what it says |\n|---|---|---|---|---|---|\n")
	for _, s := range churn.Topology {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n",
			s.Topic.Name(churn.DefaultPrefix), s.Key, kept(s), list(s.Producers, "anyone"), list(s.Consumers, "anyone"), s.Doc)
	}
	return b.String()
}

func kept(s churn.TopicSpec) string {
	switch {
	case s.Compacted:
		return "newest per key"
	case s.Retention == 0:
		return "for ever"
	default:
		return fmt.Sprintf("%d h", s.Retention/time.Hour)
	}
}

func list(services []churn.Service, none string) string {
	if len(services) == 0 {
		return none
	}
	var names []string
	for _, s := range services {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// permissionsTable says what each service may do on the brokers.
func permissionsTable() string {
	var b strings.Builder
	b.WriteString("| service | reads | writes | group |\n|---|---|---|---|\n")
	for _, s := range churn.Users() {
		p := s.Permissions()
		var reads, writes []string
		for _, t := range p.Topics {
			if t.Read {
				reads = append(reads, code(t.Topic))
			}
			if t.Write {
				writes = append(writes, code(t.Topic))
			}
		}
		group := ""
		if p.Group != "" {
			group = code(churn.Topic(p.Group))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s, strings.Join(reads, ", "), strings.Join(writes, ", "), group)
	}
	return b.String()
}

// objectsTable says what each service may do in the bucket.
func objectsTable() string {
	var b strings.Builder
	b.WriteString("| service | reads | reads and creates |\n|---|---|---|\n")
	for _, s := range churn.Users() {
		var reads, creates []string
		for _, o := range s.Permissions().Objects {
			if o.Write {
				creates = append(creates, "`"+o.Keys+"`")
			} else {
				reads = append(reads, "`"+o.Keys+"`")
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s, strings.Join(reads, ", "), strings.Join(creates, ", "))
	}
	return b.String()
}

func code(t churn.Topic) string { return "`" + t.Name(churn.DefaultPrefix) + "`" }
