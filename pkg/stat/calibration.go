package stat

import "math"

// Bin is the rows whose score lies in (Low, High]; the first bin has 0 too.
type Bin struct {
	Low       float64  `json:"low"`
	High      float64  `json:"high"`
	Rows      int64    `json:"rows"`
	Positives int64    `json:"positives"`
	Score     float64  `json:"score"`    // mean score
	Rate      float64  `json:"rate"`     // share of positives
	Interval  Interval `json:"interval"` // of Rate, by Wilson
}

// Calibration returns the bins, of equal width, that have rows, with intervals
// of the given level; and the expected calibration error
// ECE = Σ_b (n_b/n) |rate_b − score_b| (Naeini, Cooper and Hauskrecht, AAAI
// 2015). The bins are those of scikit-learn's calibration_curve with strategy
// "uniform".
func (s *Sample) Calibration(bins int, level float64) ([]Bin, float64) {
	all := make([]Bin, max(bins, 1))
	for i := range all {
		all[i].Low, all[i].High = float64(i)/float64(len(all)), float64(i+1)/float64(len(all))
	}
	b := 0
	for i := range s.ties {
		g := s.group(i)
		for b < len(all)-1 && g.score > all[b].High {
			b++
		}
		rows := g.positives + g.negatives
		all[b].Rows += rows
		all[b].Positives += g.positives
		all[b].Score += float64(rows) * g.score
	}
	var filled []Bin
	var ece float64
	for _, bin := range all {
		if bin.Rows == 0 {
			continue
		}
		bin.Score /= float64(bin.Rows)
		bin.Rate = ratio(bin.Positives, bin.Rows)
		bin.Interval = Wilson(bin.Positives, bin.Rows, level)
		ece += float64(bin.Rows) / float64(s.Len()) * math.Abs(bin.Rate-bin.Score)
		filled = append(filled, bin)
	}
	return filled, ece
}
