package kafka

import (
	"strings"
	"testing"
	"time"

	"github.com/asfotec/churn/pkg/bus"
)

// What would lose a record, an order or a copy is refused, with what to do by
// hand; what keeps more is not.
func TestCompare(t *testing.T) {
	t.Parallel()
	forEver := bus.TopicConfig{Name: "t", Partitions: 6}
	day := bus.TopicConfig{Name: "t", Partitions: 6, Retention: 24 * time.Hour}
	table := bus.TopicConfig{Name: "t", Partitions: 6, Compacted: true}
	large := bus.TopicConfig{Name: "t", Partitions: 6, MaxBytes: 4 << 20}
	asWanted := map[string]string{
		cleanupPolicy: "delete", retentionTime: "-1", retentionBytes: "-1", minInSync: "2", maxMessage: "1048588",
	}
	for name, test := range map[string]struct {
		topic   bus.TopicConfig
		is      map[string]string // other than as wanted of forEver
		shape   [2]int            // partitions and replicas; 6 and 3 if zero
		wanted  bus.Wanted
		want    string // setting is→want of each change, with ! if refused
		refusal string // is in it
	}{
		"as wanted":         {topic: forEver},
		"spaces":            {topic: table, is: map[string]string{cleanupPolicy: " compact"}},
		"fewer partitions":  {topic: forEver, shape: [2]int{4, 3}, want: "partitions 4→6!", refusal: "--grow"},
		"let grow":          {topic: forEver, shape: [2]int{4, 3}, wanted: bus.Wanted{Grow: true}, want: "partitions 4→6"},
		"more partitions":   {topic: forEver, shape: [2]int{8, 3}, wanted: bus.Wanted{Grow: true}, want: "partitions 8→6!", refusal: "--partitions TOPIC=8"},
		"fewer replicas":    {topic: forEver, shape: [2]int{6, 2}, want: "replicas 2→3!", refusal: "kafka-reassign-partitions.sh"},
		"more replicas":     {topic: forEver, shape: [2]int{6, 4}, want: "replicas 4→3!", refusal: "fewer copies"},
		"short retention":   {topic: forEver, is: map[string]string{retentionTime: "1000"}, want: "retention.ms 1000→-1"},
		"little retention":  {topic: forEver, is: map[string]string{retentionBytes: "1000"}, want: "retention.bytes 1000→-1"},
		"shorter than wish": {topic: day, is: map[string]string{retentionTime: "1000"}, want: "retention.ms 1000→86400000"},
		"longer than wish":  {topic: day, is: map[string]string{retentionTime: "86400001"}, want: "retention.ms 86400001→86400000!", refusal: "--add-config retention.ms=86400000"},
		"for ever":          {topic: day, want: "retention.ms -1→86400000!", refusal: "delete records"},
		"no number":         {topic: forEver, is: map[string]string{retentionTime: "soon"}, want: "retention.ms soon→-1"},
		"compacted": {topic: forEver, is: map[string]string{cleanupPolicy: "compact", retentionTime: "604800000"},
			want: "cleanup.policy compact→delete, retention.ms 604800000→-1"},
		"compacted, too":   {topic: forEver, is: map[string]string{cleanupPolicy: "compact,delete"}, want: "cleanup.policy compact,delete→delete"},
		"not compacted":    {topic: table, want: "cleanup.policy delete→compact!", refusal: "newest record of each key"},
		"deleted, too":     {topic: table, is: map[string]string{cleanupPolicy: "delete, compact"}, want: "cleanup.policy delete, compact→compact"},
		"table of a day":   {topic: day, is: map[string]string{cleanupPolicy: "compact", retentionTime: "86400000"}, want: "cleanup.policy compact→delete!", refusal: "older than retention.ms"},
		"one in sync":      {topic: forEver, is: map[string]string{minInSync: "1"}, want: "min.insync.replicas 1→2"},
		"all in sync":      {topic: forEver, is: map[string]string{minInSync: "3"}, want: "min.insync.replicas 3→2!", refusal: "--min-insync 3"},
		"kept in sync":     {topic: forEver, is: map[string]string{minInSync: "3"}, wanted: bus.Wanted{MinInSync: 3}},
		"nothing written":  {topic: forEver, is: map[string]string{minInSync: "4"}, want: "min.insync.replicas 4→2"},
		"could not write":  {topic: forEver, is: map[string]string{minInSync: "1"}, shape: [2]int{6, 1}, want: "replicas 1→3!, min.insync.replicas 1→2!", refusal: "nothing could be written"},
		"small records":    {topic: forEver, is: map[string]string{maxMessage: "1000"}, want: "max.message.bytes 1000→1048588"},
		"large records":    {topic: forEver, is: map[string]string{maxMessage: "9999999"}},
		"too small":        {topic: large, want: "max.message.bytes 1048588→4194304"},
		"larger than wish": {topic: large, is: map[string]string{maxMessage: "9999999"}},
		"somebody's own":   {topic: forEver, is: map[string]string{"segment.ms": "1", "compression.type": "zstd"}},
	} {
		b, err := New(Config{Brokers: []string{"localhost:1"}, ReplicationFactor: 3})
		if err != nil {
			t.Fatal(err)
		}
		is := topic{6, 3, map[string]string{}}
		if test.shape[0] > 0 {
			is.partitions, is.replicas = test.shape[0], test.shape[1]
		}
		for _, settings := range []map[string]string{asWanted, test.is} {
			for k, v := range settings {
				is.settings[k] = v
			}
		}
		var got []string
		refused := false
		for _, c := range b.compare(test.topic, is, test.wanted) {
			text := c.Setting + " " + c.Is + "→" + c.Want
			if c.Refused != "" {
				text += "!"
			}
			refused = refused || strings.Contains(c.Refused, test.refusal)
			got = append(got, text)
		}
		if text := strings.Join(got, ", "); text != test.want || test.refusal != "" && !refused {
			t.Errorf("%s: %q, refused for %q: %v; want %q", name, text, test.refusal, refused, test.want)
		}
	}
}
