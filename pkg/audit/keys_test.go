package audit

import "testing"

// Keys are the same if each is, whatever they hold.
func TestKeys(t *testing.T) {
	of := func(all ...string) *keys {
		k := newKeys()
		for _, key := range all {
			k.add([]byte(key))
		}
		return k
	}
	if a, b := of("1", "", "2\x00"), of("1", "", "2\x00"); !a.equal(b) || !a.equal(a) {
		t.Error("keys are not equal to themselves")
	}
	for _, other := range []*keys{of(), of("1"), of("1", ""), of("", "1", "2"), of("12"), of("2", "1"), of("1", "2", "")} {
		if of("1", "2").equal(other) {
			t.Errorf("%d other keys are the same", other.rows)
		}
	}
}
