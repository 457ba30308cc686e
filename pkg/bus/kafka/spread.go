package kafka

import (
	"bytes"
	"slices"
	"strconv"

	kafka "github.com/segmentio/kafka-go"
)

// spread chooses a record's partition by its key: by murmur2, as Kafka's own
// producers do, but for keys that end in a number, such as a run's trials
// (run/0, run/1, …). Those go round the partitions from the one of the text before
// the number. A hash would give one of two consumers ten of sixteen trials as often
// as not, and a search takes as long as its slowest trainer.
type spread struct{ hash kafka.Murmur2Balancer }

// Balance implements kafka.Balancer.
func (s spread) Balance(m kafka.Message, partitions ...int) int {
	slash := bytes.LastIndexByte(m.Key, '/')
	number, err := strconv.ParseUint(string(m.Key[slash+1:]), 10, 31)
	if slash < 0 || err != nil {
		return s.hash.Balance(m, partitions...)
	}
	first := slices.Index(partitions, s.hash.Balance(kafka.Message{Key: m.Key[:slash]}, partitions...))
	n := uint64(len(partitions))
	return partitions[(uint64(first)+number*stride(n))%n] //nolint:gosec // an index
}

// stride is how far it is from one number's partition to the next's: about the
// golden ratio of them, so that the numbers are even over any half of the partitions
// that lie side by side, and prime to how many there are, so that none is left out.
func stride(partitions uint64) uint64 {
	step := partitions * 618 / 1000
	for step > 1 && divisor(step, partitions) > 1 {
		step--
	}
	return max(step, 1)
}

// divisor returns the greatest that both have.
func divisor(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
