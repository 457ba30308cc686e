package worker

import (
	"context"
	"errors"

	"github.com/asfotec/churn/pkg/gbdt/lightgbm"
)

// partOf returns which of n parts a training row is in, by its number. Parts are
// drawn by a hash (the finalizer of SplitMix64), so that each is like the whole,
// in whatever order the rows come.
func partOf(row, n int) int {
	z := uint64(row) + 0x9e3779b97f4a7c15 //nolint:gosec // not negative
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n)) //nolint:gosec // below n
}

// partSizes returns how many of the rows are in each of n parts.
func partSizes(rows, n int) []int {
	sizes := make([]int, n)
	for row := range rows {
		sizes[partOf(row, n)]++
	}
	return sizes
}

// sendRows reads all rows once and sends each member its part, in their order; the
// validation rows go to the first.
func (t *team) sendRows(ctx context.Context) error {
	parts := make([]lightgbm.Chunk, len(t.members))
	width, row := len(t.data.Features), 0
	for c, err := range t.data.Checked() {
		if err != nil {
			return err
		}
		if c.Set == lightgbm.Validation {
			if err := t.sendPart(ctx, 0, c); err != nil {
				return err
			}
			continue
		}
		for i := range parts {
			parts[i] = lightgbm.Chunk{Set: c.Set, X: parts[i].X[:0], Y: parts[i].Y[:0]}
		}
		for i, y := range c.Y {
			p := &parts[partOf(row, len(parts))]
			p.X, p.Y = append(p.X, c.X[i*width:(i+1)*width]...), append(p.Y, y)
			row++
		}
		for i, part := range parts {
			if err := t.sendPart(ctx, i, part); err != nil {
				return err
			}
		}
	}
	for i, m := range t.members {
		err := t.await(ctx, i, func() error { return errors.Join(m.send(kindEnd), m.out.Flush()) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *team) sendPart(ctx context.Context, i int, c lightgbm.Chunk) error {
	return t.await(ctx, i, func() error { return t.members[i].sendChunk(c, len(t.data.Features)) })
}
