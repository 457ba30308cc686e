package stat

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/asfotec/churn/pkg/churn"
)

// Sample is labelled scores, sorted once.
type Sample struct {
	labels    []bool    // in the caller's order
	scores    []float64 // in the caller's order
	positives int64

	rows   []uint32  // row numbers by ascending score
	ties   []tie     // runs of equal scores, ascending
	loss   []float64 // log loss of rows[i]
	square []float64 // squared error of rows[i]
}

// tie is a run of rows with one score, rows[previous end:end], of which so many
// are positive. There may be as many as rows: see group for what follows from it.
type tie struct{ end, positives uint32 }

// group is a run of rows with one score: rows[begin:end].
type group struct {
	begin, end           int
	score                float64
	positives, negatives int64
}

// group returns the i-th run of equal scores.
func (s *Sample) group(i int) group {
	g := group{end: int(s.ties[i].end), positives: int64(s.ties[i].positives)}
	if i > 0 {
		g.begin = int(s.ties[i-1].end)
	}
	g.score, g.negatives = s.scores[s.rows[g.begin]], int64(g.end-g.begin)-g.positives
	return g
}

// New returns the sample of the given rows. The slices are kept, not copied.
// It is an Invalid error if they differ in length, if a score is not in
// [0, 1], or if a class has no row.
func New(labels []bool, scores []float64) (*Sample, error) {
	const op = "stat.New"
	if len(labels) != len(scores) {
		return nil, churn.Errorf(op, churn.Invalid, "%d labels for %d scores", len(labels), len(scores))
	}
	if uint64(len(scores)) > math.MaxUint32 {
		return nil, churn.Errorf(op, churn.Invalid, "%d rows: at most %d can be judged", len(scores), uint32(math.MaxUint32))
	}
	s := &Sample{labels: labels, scores: scores}
	for i, score := range scores {
		if !(score >= 0 && score <= 1) { // written so that NaN fails
			return nil, churn.Errorf(op, churn.Invalid, "score of row %d is %v, not a probability", i, score)
		}
		if labels[i] {
			s.positives++
		}
	}
	if s.positives == 0 || s.negatives() == 0 {
		return nil, churn.Errorf(op, churn.Invalid, "%d positive and %d negative rows: both classes are needed", s.positives, s.negatives())
	}
	s.sort()
	return s, nil
}

// Len returns the number of rows.
func (s *Sample) Len() int { return len(s.scores) }

// Positives returns the number of positive rows.
func (s *Sample) Positives() int { return int(s.positives) }

func (s *Sample) negatives() int64 { return int64(len(s.scores)) - s.positives }

// sort orders the rows by score, then by number: one order for one input.
func (s *Sample) sort() {
	n := len(s.scores)
	s.rows = make([]uint32, n)
	for i := range s.rows {
		s.rows[i] = uint32(i)
	}
	slices.SortFunc(s.rows, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(s.scores[a], s.scores[b]), cmp.Compare(a, b))
	})
	s.loss, s.square = make([]float64, n), make([]float64, n)
	distinct := 0
	for i, row := range s.rows {
		score, positive := s.scores[row], s.labels[row]
		s.loss[i], s.square[i] = logLoss(score, positive), squaredError(score, positive)
		if s.begins(i) {
			distinct++
		}
	}
	s.ties = make([]tie, 0, distinct)
	for i, row := range s.rows {
		if s.begins(i) {
			s.ties = append(s.ties, tie{})
		}
		t := &s.ties[len(s.ties)-1]
		t.end = uint32(i + 1) //nolint:gosec // New has seen to it
		if s.labels[row] {
			t.positives++
		}
	}
}

// begins reports whether the i-th row by score has another score than the one
// before.
func (s *Sample) begins(i int) bool { return i == 0 || s.scores[s.rows[i]] != s.scores[s.rows[i-1]] }

// logLoss is the negative log likelihood of one row, with the score clipped
// as sklearn.metrics.log_loss clips float64.
func logLoss(score float64, positive bool) float64 {
	const epsilon = 0x1p-52
	score = min(max(score, epsilon), 1-epsilon)
	if positive {
		return -math.Log(score)
	}
	return -math.Log(1 - score) // not Log1p: scikit-learn rounds 1-score first
}

func squaredError(score float64, positive bool) float64 {
	if positive {
		score = 1 - score
	}
	return score * score
}

// Metrics returns every metric, classes being cut at threshold.
func (s *Sample) Metrics(threshold float64) Metrics {
	counts := make([]uint32, s.Len())
	for i := range counts {
		counts[i] = 1
	}
	return s.metrics(counts, s.positives, s.cut(threshold))
}

// cut returns the number of the first group that is classified as positive.
func (s *Sample) cut(threshold float64) int {
	return sort.Search(len(s.ties), func(i int) bool { return s.group(i).score >= threshold })
}

// metrics is the one pass behind every metric. counts says how often each row
// is there; they must add up to the number of rows, and positives of them must
// be positive rows, some but not all.
//
// AUC = Σ_g pos_g (neg_below_g + neg_g/2) / (P N), KS = max_g |F⁺_g − F⁻_g|;
// both are sums of integers, exact until the one division at the end.
func (s *Sample) metrics(counts []uint32, positives int64, cut int) Metrics {
	var (
		n         = int64(len(s.rows))
		negatives = n - positives

		pos, neg       int64 // positives and negatives up to the group
		pairs          int64 // twice the Mann–Whitney U
		gap            int64 // KS · P · N
		missed, passed int64 // positives and negatives under the threshold
		loss, square   float64
		i              int
	)
	for g := range s.ties {
		if g == cut {
			missed, passed = pos, neg
		}
		var groupPos, groupAll int64
		for end := int(s.ties[g].end); i < end; i++ {
			row := s.rows[i]
			c := counts[row]
			groupAll += int64(c)
			if s.labels[row] {
				groupPos += int64(c)
			}
			loss += float64(c) * s.loss[i]
			square += float64(c) * s.square[i]
		}
		groupNeg := groupAll - groupPos
		pairs += groupPos * (2*neg + groupNeg)
		pos, neg = pos+groupPos, neg+groupNeg
		gap = max(gap, pos*negatives-neg*positives, neg*positives-pos*negatives)
	}
	if cut == len(s.ties) {
		missed, passed = pos, neg
	}
	c := Confusion{
		TruePositives: positives - missed, FalseNegatives: missed,
		TrueNegatives: passed, FalsePositives: negatives - passed,
	}
	all := float64(positives) * float64(negatives)
	return Metrics{
		AUC:       float64(pairs) / (2 * all),
		Accuracy:  c.Accuracy(),
		F1:        c.F1(),
		Precision: c.Precision(),
		Recall:    c.Recall(),
		LogLoss:   loss / float64(n),
		Brier:     square / float64(n),
		KS:        float64(gap) / all,
	}
}
