package feature_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/asfotec/churn/pkg/churn"
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/feature"
)

func TestGroups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		file, err := encodeTable(tiny, rows)
		if err != nil {
			t.Fatal(err)
		}
		table, err := feature.OpenTable(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		got, err := table.Groups("c", dataset.Holdout, limit)
		if err != nil {
			t.Fatal(err)
		}
		place, others := 0, int64(0)
		for _, r := range rows {
			if r.Part != dataset.Holdout {
				continue
			}
			of := got.Of[place]
			if of < 0 {
				others++
			} else if got.Values[of] != r.Values[2].Text {
				t.Fatalf("hold-out row %d is in the group of %q, and has %q", place, got.Values[of], r.Values[2].Text)
			}
			place++
		}
		if place != len(got.Of) || others != got.Others || len(got.Values) > limit || others > 0 && len(got.Values) < limit {
			t.Fatalf("%d rows of %d, %d others of %d, %d groups of at most %d", len(got.Of), place, got.Others, others, len(got.Values), limit)
		}
	})
}

func TestGroupsOfNoSuchColumn(t *testing.T) {
	file := writeTable(t, tiny, []dataset.Row{})
	table, err := feature.OpenTable(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range []string{"zip", "a"} {
		if _, err := table.Groups(column, dataset.Holdout, 9); !churn.IsKind(err, churn.Invalid) {
			t.Errorf("groups by %s: %v", column, err)
		}
	}
}
