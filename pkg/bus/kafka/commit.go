package kafka

import "sync"

// committer commits offsets in the background: while one commit is under way,
// those that come due wait and go together. Only offsets behind handled records
// come here, and the generation's fence refuses them once the partitions have
// moved.
type committer struct {
	commit func(map[string]map[int]int64) error

	mu     sync.Mutex
	change *sync.Cond
	due    map[string]map[int]int64
	closed bool
}

func newCommitter(commit func(map[string]map[int]int64) error) *committer {
	c := &committer{commit: commit}
	c.change = sync.NewCond(&c.mu)
	return c
}

// done makes next due as the offset of p.
func (c *committer) done(p partition, next int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.due == nil {
		c.due = map[string]map[int]int64{}
	}
	if c.due[p.topic] == nil {
		c.due[p.topic] = map[int]int64{}
	}
	c.due[p.topic][p.id] = next
	c.change.Signal()
}

// close lets run return once everything due is committed.
func (c *committer) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.change.Signal()
}

// run commits until close, or until a commit fails.
func (c *committer) run() error {
	for {
		due, ok := c.take()
		if !ok {
			return nil
		}
		if err := c.commit(due); err != nil {
			return err
		}
	}
}

// take waits for offsets that are due; ok is false after the last.
func (c *committer) take() (due map[string]map[int]int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.due == nil && !c.closed {
		c.change.Wait()
	}
	due, c.due = c.due, nil
	return due, due != nil
}
