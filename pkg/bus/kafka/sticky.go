package kafka

import (
	"cmp"
	"encoding/json"
	"slices"

	kafka "github.com/segmentio/kafka-go"
)

// sticky assigns partitions to the members that had them, as far as all members
// come to have as many as each other: a record that is being handled can be
// finished where it is. What each had it learns from the members' user data.
type sticky struct {
	owned func() map[string][]int
}

// ProtocolName implements kafka.GroupBalancer.
func (s sticky) ProtocolName() string { return "churn-sticky" }

// UserData implements kafka.GroupBalancer: what this member has, as JSON.
func (s sticky) UserData() ([]byte, error) { return json.Marshal(s.owned()) }

// AssignGroups implements kafka.GroupBalancer. The same members and partitions give
// the same assignment, whichever member computes it.
func (s sticky) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	a := newAssignment(members, partitions)
	for _, m := range a.members { // what each had, up to its share
		var had map[string][]int
		if json.Unmarshal(m.UserData, &had) != nil {
			continue // a member of another kind
		}
		for _, p := range evenly(a.stillOf(m, had), a.share()) {
			a.give(p, m)
		}
	}
	for _, p := range a.partitions { // the rest, to whoever has least
		if a.taken[p] {
			continue
		}
		var least *kafka.GroupMember
		for i := range a.members {
			m := &a.members[i]
			if slices.Contains(m.Topics, p.topic) && (least == nil || a.load[m.ID] < a.load[least.ID]) {
				least = m
			}
		}
		if least != nil {
			a.give(p, *least)
		}
	}
	for _, has := range a.out {
		for _, ids := range has {
			slices.Sort(ids)
		}
	}
	return a.out
}

// assignment is one in the making. Members and partitions are in order.
type assignment struct {
	members    []kafka.GroupMember
	partitions []partition
	taken      map[partition]bool
	load       map[string]int // partitions by member
	full       int            // members with one more than the least share
	out        kafka.GroupMemberAssignments
}

func newAssignment(members []kafka.GroupMember, partitions []kafka.Partition) *assignment {
	a := &assignment{
		members: slices.Clone(members), taken: map[partition]bool{}, load: map[string]int{}, out: kafka.GroupMemberAssignments{},
	}
	slices.SortFunc(a.members, func(x, y kafka.GroupMember) int { return cmp.Compare(x.ID, y.ID) })
	for _, m := range a.members {
		a.out[m.ID] = map[string][]int{}
	}
	for _, p := range partitions {
		a.partitions = append(a.partitions, partition{p.Topic, p.ID})
	}
	slices.SortFunc(a.partitions, func(x, y partition) int {
		return cmp.Or(cmp.Compare(x.topic, y.topic), cmp.Compare(x.id, y.id))
	})
	return a
}

// stillOf returns those of the partitions that the member had which nobody else has
// been given, in order.
func (a *assignment) stillOf(m kafka.GroupMember, had map[string][]int) []partition {
	var of []partition
	for _, p := range a.partitions {
		if slices.Contains(had[p.topic], p.id) && !a.taken[p] && slices.Contains(m.Topics, p.topic) {
			of = append(of, p)
		}
	}
	return of
}

// evenly returns at most so many of the partitions, from all along their order: who
// gives some up gives every other one, say, so that records that go round the
// partitions (spread) go to each member in turn.
func evenly(all []partition, most int) []partition {
	if len(all) <= most {
		return all
	}
	var kept []partition
	for i, p := range all {
		if (i+1)*most/len(all) > i*most/len(all) {
			kept = append(kept, p)
		}
	}
	return kept
}

// share is how many partitions a member may keep: a fair share, and one more for
// as many members as that leaves partitions for.
func (a *assignment) share() int {
	least, more := len(a.partitions)/len(a.members), len(a.partitions)%len(a.members)
	if a.full < more {
		return least + 1
	}
	return least
}

func (a *assignment) give(p partition, m kafka.GroupMember) {
	if a.taken[p] || !slices.Contains(m.Topics, p.topic) {
		return
	}
	a.taken[p] = true
	a.out[m.ID][p.topic] = append(a.out[m.ID][p.topic], p.id)
	if a.load[m.ID]++; a.load[m.ID] > len(a.partitions)/len(a.members) {
		a.full++
	}
}
