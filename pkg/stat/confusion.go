package stat

// Confusion counts rows by label and predicted class.
type Confusion struct {
	TruePositives  int64 `json:"true_positives"`
	FalsePositives int64 `json:"false_positives"`
	TrueNegatives  int64 `json:"true_negatives"`
	FalseNegatives int64 `json:"false_negatives"`
}

// Confusion returns the confusion matrix, classes being cut at threshold.
func (s *Sample) Confusion(threshold float64) Confusion {
	var c Confusion
	cut := s.cut(threshold)
	for i := range s.ties {
		g := s.group(i)
		if i < cut {
			c.FalseNegatives += g.positives
			c.TrueNegatives += g.negatives
		} else {
			c.TruePositives += g.positives
			c.FalsePositives += g.negatives
		}
	}
	return c
}

// Rows returns the number of rows counted.
func (c Confusion) Rows() int64 {
	return c.TruePositives + c.FalsePositives + c.TrueNegatives + c.FalseNegatives
}

// Right returns the number of rows classified rightly.
func (c Confusion) Right() int64 { return c.TruePositives + c.TrueNegatives }

// Accuracy returns the share of rows classified rightly.
func (c Confusion) Accuracy() float64 { return ratio(c.Right(), c.Rows()) }

// Precision returns the share of predicted positives that are positive, 0 if
// there are none.
func (c Confusion) Precision() float64 {
	return ratio(c.TruePositives, c.TruePositives+c.FalsePositives)
}

// Recall returns the share of positives that are predicted positive, 0 if
// there are none.
func (c Confusion) Recall() float64 {
	return ratio(c.TruePositives, c.TruePositives+c.FalseNegatives)
}

// F1 returns the harmonic mean of precision and recall, 2TP/(2TP+FP+FN), and
// 0 where that is 0/0.
func (c Confusion) F1() float64 {
	return ratio(2*c.TruePositives, 2*c.TruePositives+c.FalsePositives+c.FalseNegatives)
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
