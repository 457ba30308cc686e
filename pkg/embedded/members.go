package embedded

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// members mends what the broker does wrong with members of consumer groups while
// they wait for the answer to their join, as they do until all others have joined.
//
// It does not expect heartbeats of one to whom it could not give the answer: who
// is killed while he waits stays for ever, and keeps his partitions from others.
// Such a member is removed. And it throws out, without an answer, one who was a
// member before and waits for longer than his session: for him a heartbeat is
// sent.
type members struct {
	client *kgo.Client

	mu     sync.Mutex
	known  map[string]*member       // by id
	groups map[string]time.Duration // longest session that members asked for
}

// member is what is known of a member.
type member struct {
	heard      time.Time // of, last
	generation int32     // that he was in, last
	waiting    bool      // to join
}

// memberWatch is how often groups are looked at.
const memberWatch = 500 * time.Millisecond

// watchMembers begins to watch the cluster's groups, until ctx is done.
func watchMembers(ctx context.Context, c *kfake.Cluster) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ClientID("churn-embedded"))
	if err != nil {
		return err
	}
	m := &members{client: client, known: map[string]*member{}, groups: map[string]time.Duration{}}
	for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat} {
		c.ControlKey(key.Int16(), m.observe)
	}
	go m.run(ctx)
	return nil
}

// observe takes note of who asks, and leaves the request to the broker.
func (m *members) observe(r kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // kfake's signature
	m.mu.Lock()
	defer m.mu.Unlock()
	switch r := r.(type) {
	case *kmsg.JoinGroupRequest:
		m.groups[r.Group] = max(m.groups[r.Group], time.Duration(r.SessionTimeoutMillis)*time.Millisecond)
		if r.MemberID != "" {
			m.member(r.MemberID).waiting = true
		}
	case *kmsg.SyncGroupRequest:
		m.present(r.MemberID, r.Generation)
	case *kmsg.HeartbeatRequest:
		if !m.member(r.MemberID).waiting { // else it is sent for him
			m.present(r.MemberID, r.Generation)
		}
	}
	return nil, nil, false
}

func (m *members) member(id string) *member {
	if m.known[id] == nil {
		m.known[id] = &member{heard: time.Now(), waiting: true}
	}
	return m.known[id]
}

func (m *members) present(id string, generation int32) {
	*m.member(id) = member{heard: time.Now(), generation: generation}
}

func (m *members) run(ctx context.Context) {
	defer m.client.Close()
	tick := time.NewTicker(memberWatch)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = m.look(ctx) // once more at the next tick
		}
	}
}

// look goes through the members of every group.
func (m *members) look(ctx context.Context) error {
	groups, err := m.describe(ctx)
	if err != nil {
		return err
	}
	present := map[string]bool{}
	for _, g := range groups {
		for _, of := range g.Members {
			present[of.MemberID] = true
			if err := m.mend(ctx, g, of.MemberID); err != nil {
				return err
			}
		}
	}
	m.forget(present)
	return nil
}

// describe describes every group.
func (m *members) describe(ctx context.Context) ([]kmsg.DescribeGroupsResponseGroup, error) {
	list, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, m.client)
	if err != nil || len(list.Groups) == 0 {
		return nil, err
	}
	describe := kmsg.NewPtrDescribeGroupsRequest()
	for _, g := range list.Groups {
		describe.Groups = append(describe.Groups, g.Group)
	}
	all, err := describe.RequestWith(ctx, m.client)
	if err != nil {
		return nil, err
	}
	return all.Groups, nil
}

// mend keeps the member in the group while he waits to join, and removes him if he
// has been silent for longer than his session otherwise.
func (m *members) mend(ctx context.Context, g kmsg.DescribeGroupsResponseGroup, id string) error {
	state, session := m.state(id, g.State == "PreparingRebalance"), m.session(g.Group)
	switch {
	case session == 0: // of before the broker was started: it has a timer
		return nil
	case state.waiting:
		return m.beat(ctx, g.Group, id, state.generation)
	case time.Since(state.heard) > session+memberWatch:
		return m.remove(ctx, g.Group, id)
	}
	return nil
}

// state returns what is known of the member. None waits once the group is not
// preparing any more: his session begins.
func (m *members) state(id string, preparing bool) member {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := m.member(id)
	if of.waiting && !preparing {
		of.waiting, of.heard = false, time.Now()
	}
	return *of
}

func (m *members) session(group string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.groups[group]
}

func (m *members) beat(ctx context.Context, group, id string, generation int32) error {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Group, r.MemberID, r.Generation = group, id, generation
	_, err := r.RequestWith(ctx, m.client)
	return err
}

func (m *members) remove(ctx context.Context, group, id string) error {
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group, leave.MemberID = group, id
	of := kmsg.NewLeaveGroupRequestMember()
	of.MemberID = id
	leave.Members = append(leave.Members, of)
	_, err := leave.RequestWith(ctx, m.client)
	return err
}

// forget drops who is not in any group any more, so that memory does not grow.
func (m *members) forget(present map[string]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, of := range m.known {
		if !present[id] && time.Since(of.heard) > memberWatch {
			delete(m.known, id)
		}
	}
}
