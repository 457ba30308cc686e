package profile

import "cmp"

// Bins returns the rows of two numeric columns in the bins that either has, in
// order: x of a and y of b. A column without numbers is nil.
func Bins(a, b *Numbers) (x, y []int64) {
	left, right := binsOf(a, b), binsOf(b, a)
	return align(left, right, func(l, r Bin) int { return cmp.Compare(l.At, r.At) }, func(b Bin) int64 { return b.Rows })
}

// binsOf returns the bins of n, as fine as both have them.
func binsOf(n, other *Numbers) []Bin {
	switch {
	case n == nil:
		return nil
	case other == nil:
		return n.Histogram.Bins
	}
	return n.Histogram.coarsen(min(n.Histogram.Bits, other.Histogram.Bits))
}

// Categories returns the rows of two categorical columns in the categories that
// either has, by name: x of a and y of b. The last two are the rows of categories
// that were not counted one by one, and the blank ones.
func Categories(a, b *Column) (x, y []int64) {
	x, y = align(a.Categories, b.Categories, func(l, r Category) int { return cmp.Compare(l.Name, r.Name) }, func(c Category) int64 { return c.Rows })
	return append(x, a.Other, a.Blanks), append(y, b.Other, b.Blanks)
}

// align merges what is sorted: the rows of each under a and under b, 0 where it
// has none.
func align[T any](a, b []T, compare func(T, T) int, rows func(T) int64) (x, y []int64) {
	for len(a) > 0 || len(b) > 0 {
		inA, inB := len(a) > 0, len(b) > 0
		if inA && inB {
			order := compare(a[0], b[0])
			inA, inB = order <= 0, order >= 0
		}
		var left, right int64
		if inA {
			left, a = rows(a[0]), a[1:]
		}
		if inB {
			right, b = rows(b[0]), b[1:]
		}
		x, y = append(x, left), append(y, right)
	}
	return x, y
}

// groups is how many groups Deciles makes, where the bins allow.
const groups = 10

// Deciles groups aligned bins by the deciles of x, neighbours together: ten groups
// of about as many rows of x, fewer where a bin has more than a tenth of them.
// It is for tests of shares, such as PSI, which can do nothing with bins of a row
// or two.
func Deciles(x, y []int64) (groupX, groupY []int64) {
	var all, below int64
	for _, rows := range x {
		all += rows
	}
	full := true // the last group has a decile in it, and more rows of x follow
	for i := range x {
		if full {
			groupX, groupY = append(groupX, 0), append(groupY, 0)
		}
		last := len(groupX) - 1
		groupX[last], groupY[last] = groupX[last]+x[i], groupY[last]+y[i]
		decile := below * groups / max(all, 1)
		below += x[i]
		full = below*groups/max(all, 1) > decile && below < all
	}
	return groupX, groupY
}
