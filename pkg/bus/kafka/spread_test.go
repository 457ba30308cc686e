package kafka

import (
	"fmt"
	"testing"

	kafka "github.com/segmentio/kafka-go"
)

// The trials of a search are even over every partition, and over consumers that
// have partitions side by side or every so many-th.
func TestSpread(t *testing.T) {
	for partitions := 1; partitions <= 40; partitions++ {
		ids := make([]int, partitions)
		for i := range ids {
			ids[i] = i
		}
		at := func(key string) int { return spread{}.Balance(kafka.Message{Key: []byte(key)}, ids...) }
		for _, run := range []string{"a", "0b6cbd0e-49b5-5e9f-a0b9-1f0a4c1d6d7e", ""} {
			of := make([]int, partitions)
			for n := range 3 * partitions {
				of[at(fmt.Sprint(run, "/", n))]++
			}
			for id, n := range of {
				if n != 3 {
					t.Fatalf("%d of %d trials are on partition %d of %d", n, 3*partitions, id, partitions)
				}
			}
		}
	}
	twelve := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	for run := range 100 {
		var halves, odd [2]int
		for n := range 16 {
			p := spread{}.Balance(kafka.Message{Key: []byte(fmt.Sprint("run ", run, "/", n))}, twelve...)
			halves[p/6]++
			odd[p%2]++
		}
		for _, shares := range [][2]int{halves, odd} {
			if shares[0] < 7 || shares[1] < 7 {
				t.Errorf("run %d: of 16 trials %v", run, shares)
			}
		}
	}
}

// Every other key is where Kafka's own producers put it.
func TestOtherKeysAreHashed(t *testing.T) {
	ids := []int{0, 1, 2, 3, 4, 5, 6}
	for _, key := range []string{"", "churn-classifier", "a/", "a/b", "a/-1", "a/1b", "7", "a/99999999999999999999", "\xff/\xff"} {
		m := kafka.Message{Key: []byte(key)}
		if got, want := (spread{}).Balance(m, ids...), (kafka.Murmur2Balancer{}).Balance(m, ids...); got != want {
			t.Errorf("%q is on partition %d, want %d", key, got, want)
		}
	}
}
