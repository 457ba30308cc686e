package stat

import "testing"

// The standard error is that of the mean of 1, -1 and 0: numpy 2.3.5 gives
// std([1]*3 + [-1] + [0]*6) / sqrt(10) = 0.18973665961010275.
func TestAccuracyPaired(t *testing.T) {
	labels := []bool{true, true, true, true, false, false, false, false, false, false}
	a := []float64{.9, .9, .9, .9, .9, .1, .1, .1, .1, .1} // wrong in row 4
	b := []float64{.1, .1, .1, .9, .1, .1, .1, .1, .1, .1} // wrong in rows 0 to 2
	e, err := AccuracyPaired(sample(t, labels, a), sample(t, labels, b), 0.5, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "difference", e.Value, 0.2, 1e-15)
	near(t, "error", e.Error, 0.18973665961010275, 1e-15)
	near(t, "low", e.Interval.Low, 0.2-1.959963984540054*0.18973665961010275, 1e-12)
	same, err := AccuracyPaired(sample(t, labels, a), sample(t, labels, a), 0.5, 0.95)
	if err != nil || same.Value != 0 || same.Error != 0 || same.P != 1 {
		t.Errorf("of a model beside itself: %+v, %v", same, err)
	}
	if _, err := AccuracyPaired(sample(t, labels, a), sample(t, labels[1:], b[1:]), 0.5, 0.95); err == nil {
		t.Error("samples of other rows are compared")
	}
}
