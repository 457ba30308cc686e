package kafka

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	kafka "github.com/segmentio/kafka-go"
	"pgregory.net/rapid"

	"github.com/asfotec/churn/pkg/soak"
)

// Whatever members say that they had: each partition goes to one member, all have
// as many as each other, and nobody loses one while there is room for it.
func TestSticky(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var partitions []kafka.Partition
		for id := range rapid.IntRange(1, 20).Draw(t, "partitions") {
			partitions = append(partitions, kafka.Partition{Topic: []string{"one", "two"}[id%2], ID: id / 2})
		}
		n := rapid.IntRange(1, 6).Draw(t, "members")
		var members []kafka.GroupMember
		for id := range n {
			had := rapid.MapOfN(rapid.SampledFrom([]string{"one", "two", "gone"}), rapid.SliceOfN(rapid.IntRange(0, 12), 0, 6), 0, 3).Draw(t, "had")
			data, err := json.Marshal(had)
			if err != nil {
				t.Fatal(err)
			}
			members = append(members, kafka.GroupMember{ID: fmt.Sprint(id), Topics: []string{"one", "two"}, UserData: data})
		}
		first := assign(t, members, partitions)

		// The same members come again with what they have: nothing moves.
		for i := range members {
			members[i].UserData, _ = json.Marshal(first[members[i].ID])
		}
		slices.Reverse(members)
		if again := assign(t, members, partitions); !equal(again, first) {
			t.Fatalf("%v becomes %v though nothing has changed", first, again)
		}

		// One more comes: it gets its share, and all others keep what they have left.
		more := assign(t, append(members, kafka.GroupMember{ID: "new", Topics: []string{"one", "two"}, UserData: []byte("null")}), partitions)
		for id, has := range more {
			if id == "new" {
				continue
			}
			for topic, ids := range has {
				for _, p := range ids {
					if !slices.Contains(first[id][topic], p) {
						t.Fatalf("member %s gets partition %d of %s of another's: %v, before %v", id, p, topic, more, first)
					}
				}
			}
		}
	})
}

// assign returns the assignment, which must be whole and even.
func assign(t *rapid.T, members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	out := sticky{}.AssignGroups(members, partitions)
	taken := map[partition]string{}
	for id, has := range out {
		load := 0
		for topic, ids := range has {
			load += len(ids)
			for _, p := range ids {
				if other, twice := taken[partition{topic, p}]; twice {
					t.Fatalf("partition %d of %s goes to %s and %s", p, topic, other, id)
				}
				taken[partition{topic, p}] = id
			}
		}
		if least := len(partitions) / len(members); load < least || load > least+1 {
			t.Fatalf("member %s of %d gets %d of %d partitions: %v", id, len(members), load, len(partitions), out)
		}
	}
	if len(taken) != len(partitions) || len(out) != len(members) {
		t.Fatalf("%d of %d partitions go to %d of %d members", len(taken), len(partitions), len(out), len(members))
	}
	return out
}

func equal(a, b kafka.GroupMemberAssignments) bool {
	return maps.EqualFunc(a, b, func(x, y map[string][]int) bool { return maps.EqualFunc(x, y, slices.Equal) })
}

// Of sixteen trials, each of two trainers gets eight, whichever was there first and
// whatever partition the first trial is on.
func TestTrialsAreEvenAfterARebalance(t *testing.T) {
	topics := []string{"features-ready", "retry.trainer"}
	partitions := []kafka.Partition{{Topic: topics[1]}}
	ids := []int{}
	for id := range 12 {
		partitions, ids = append(partitions, kafka.Partition{Topic: topics[0], ID: id}), append(ids, id)
	}
	a := kafka.GroupMember{ID: "a", Topics: topics}
	alone := sticky{}.AssignGroups([]kafka.GroupMember{a}, partitions)
	a.UserData, _ = json.Marshal(alone["a"])
	both := sticky{}.AssignGroups([]kafka.GroupMember{a, {ID: "b", Topics: topics, UserData: []byte("{}")}}, partitions)
	for run := range 50 {
		n := 0
		for trial := range 16 {
			p := spread{}.Balance(kafka.Message{Key: fmt.Appendf(nil, "run %d/%d", run, trial)}, ids...)
			if slices.Contains(both["a"][topics[0]], p) {
				n++
			}
		}
		if n != 8 {
			t.Errorf("run %d: one of two trainers has %d of 16 trials; they have %v", run, n, both)
		}
	}
}

// A member of an older release says nothing of what it had, or what this one does
// not understand.
func TestStickyWithStrangers(t *testing.T) {
	out := sticky{}.AssignGroups([]kafka.GroupMember{
		{ID: "a", Topics: []string{"t"}, UserData: []byte{0xff}}, {ID: "b", Topics: []string{"other"}},
	}, []kafka.Partition{{Topic: "t", ID: 0}, {Topic: "t", ID: 1}})
	if len(out["a"]["t"]) != 2 || len(out["b"]) != 0 {
		t.Errorf("%v", out)
	}
}

// A member can say anything: whoever leads assigns all the same.
func FuzzSticky(f *testing.F) {
	f.Add([]byte(`{"one": [0, 1, 2]}`), []byte(`{"one": [2, 2, -1], "two": [9223372036854775807]}`))
	f.Add([]byte(`null`), []byte{0xff})
	soak.Fuzz(f, func(t *testing.T, a, b []byte) {
		members := []kafka.GroupMember{{ID: "a", Topics: []string{"one"}, UserData: a}, {ID: "b", Topics: []string{"one"}, UserData: b}}
		out := sticky{}.AssignGroups(members, []kafka.Partition{{Topic: "one", ID: 0}, {Topic: "one", ID: 1}, {Topic: "one", ID: 2}})
		all := slices.Sorted(slices.Values(slices.Concat(out["a"]["one"], out["b"]["one"])))
		if !slices.Equal(all, []int{0, 1, 2}) || len(out["a"]["one"]) == 0 || len(out["b"]["one"]) == 0 {
			t.Errorf("%v", out)
		}
	})
}
