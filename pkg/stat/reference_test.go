package stat

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/asfotec/churn/pkg/churn"
)

// The references are made by testdata/reference.py and testdata/reference.R.

type pair struct {
	labels []bool
	a, b   []float64
}

// referenceSamples reads testdata/samples.csv.
func referenceSamples(t *testing.T) map[string]*pair {
	t.Helper()
	out := map[string]*pair{}
	for _, row := range readCSV(t, "testdata/samples.csv") {
		p := out[row["case"]]
		if p == nil {
			p = &pair{}
			out[row["case"]] = p
		}
		p.labels = append(p.labels, row["label"] == "1")
		p.a = append(p.a, number(t, row["a"]))
		p.b = append(p.b, number(t, row["b"]))
	}
	return out
}

func readCSV(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		out = append(out, m)
	}
	return out
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func sample(t *testing.T, labels []bool, scores []float64) *Sample {
	t.Helper()
	s, err := New(labels, scores)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %.17g, want %.17g", what, got, want)
	}
}

type sklearnSample struct {
	Metrics          map[string]float64
	AveragePrecision float64 `json:"average_precision"`
	Confusion        Confusion
	Wilson           [2]float64
	ROC              [][2]float64
	PR               [][2]float64
	Calibration      [][2]float64
	Recalibration    *[2]float64 // slope and intercept; null if there are none
}

func TestAgainstScikitLearn(t *testing.T) {
	raw, err := os.ReadFile("testdata/sklearn.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		A, B    sklearnSample
		McNemar struct {
			OnlyA int64 `json:"only_a"`
			OnlyB int64 `json:"only_b"`
			P     float64
		}
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for name, p := range referenceSamples(t) {
		t.Run(name, func(t *testing.T) {
			a, b := sample(t, p.labels, p.a), sample(t, p.labels, p.b)
			t.Run("a", func(t *testing.T) { compare(t, a, want[name].A) })
			t.Run("b", func(t *testing.T) { compare(t, b, want[name].B) })
			onlyA, onlyB, err := Disagreement(a, b, 0.5)
			if err != nil {
				t.Fatal(err)
			}
			if w := want[name].McNemar; onlyA != w.OnlyA || onlyB != w.OnlyB {
				t.Errorf("Disagreement = %d, %d, want %d, %d", onlyA, onlyB, w.OnlyA, w.OnlyB)
			}
			near(t, "McNemar", McNemar(onlyA, onlyB), want[name].McNemar.P, 1e-12)
		})
	}
}

func compare(t *testing.T, s *Sample, want sklearnSample) {
	t.Helper()
	for m, v := range s.Metrics(0.5) {
		near(t, Metric(m).String(), v, want.Metrics[Metric(m).String()], 1e-13)
	}
	near(t, "AveragePrecision", s.AveragePrecision(), want.AveragePrecision, 1e-13)
	c := s.Confusion(0.5)
	if c != want.Confusion {
		t.Errorf("Confusion = %+v, want %+v", c, want.Confusion)
	}
	wilson := Wilson(c.Right(), c.Rows(), 0.95)
	near(t, "Wilson low", wilson.Low, want.Wilson[0], 1e-12)
	near(t, "Wilson high", wilson.High, want.Wilson[1], 1e-12)
	comparePoints(t, "ROC", slices.Collect(s.ROC()), want.ROC)
	comparePoints(t, "PR", slices.Collect(s.PR()), want.PR)
	bins, _ := s.Calibration(10, 0.95)
	var points []Point
	for _, b := range bins {
		points = append(points, Point{b.Score, b.Rate})
	}
	comparePoints(t, "Calibration", points, want.Calibration)
	slope, intercept, err := s.Recalibration()
	switch {
	case want.Recalibration == nil:
		if !churn.IsKind(err, churn.Invalid) {
			t.Errorf("Recalibration = %v, %v, error %v; want an Invalid one", slope, intercept, err)
		}
	case err != nil:
		t.Error(err)
	default:
		near(t, "slope", slope, want.Recalibration[0], 1e-9)
		near(t, "intercept", intercept, want.Recalibration[1], 1e-9)
	}
}

func comparePoints(t *testing.T, what string, got []Point, want [][2]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d points, want %d", what, len(got), len(want))
		return
	}
	for i, p := range got {
		near(t, what+" x", p.X, want[i][0], 1e-13)
		near(t, what+" y", p.Y, want[i][1], 1e-13)
	}
}

type scipyValues struct {
	Bootstrap map[string]map[string]struct{ Low, High, Error Metrics }
	Binned    map[string]struct {
		Expected, Actual []int64
		PSI              float64
		PSIP             float64 `json:"psi_p"`
		KS               float64
		KSP              float64 `json:"ks_p"`
		SmallSample      float64 `json:"ks_2samp_p"`
	}
	Discovery []struct{ P, Q []float64 }
}

func scipyReference(t *testing.T) scipyValues {
	t.Helper()
	raw, err := os.ReadFile("testdata/scipy.json")
	if err != nil {
		t.Fatal(err)
	}
	var want scipyValues
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Bootstrap) == 0 || len(want.Binned) == 0 || len(want.Discovery) == 0 {
		t.Fatal("testdata/scipy.json lacks a part: run reference.py")
	}
	return want
}

// scipy.stats.bootstrap was given the rows that Draw draws, so all must agree:
// the draws, the metrics, the pairing, and the intervals and errors.
func TestAgainstScipyBootstrap(t *testing.T) {
	samples := referenceSamples(t)
	for name, want := range scipyReference(t).Bootstrap {
		t.Run(name, func(t *testing.T) {
			p := samples[name]
			out, err := Bootstrap{Replicates: 200, Seed: 7, Threshold: 0.5}.Draw(t.Context(), sample(t, p.labels, p.a), sample(t, p.labels, p.b))
			if err != nil {
				t.Fatal(err)
			}
			for what, replicates := range map[string][]Metrics{"a": out[0], "b": out[1], "difference": Differences(out[0], out[1])} {
				intervals, errors := Intervals(replicates, 0.95), Errors(replicates)
				for m := range intervals {
					name := what + " " + Metric(m).String()
					near(t, name+" low", intervals[m].Low, want[what].Low[m], 1e-12)
					near(t, name+" high", intervals[m].High, want[what].High[m], 1e-12)
					near(t, name+" error", errors[m], want[what].Error[m], 1e-12)
				}
			}
		})
	}
}

func TestAgainstScipyDrift(t *testing.T) {
	for name, want := range scipyReference(t).Binned {
		t.Run(name, func(t *testing.T) {
			psi, p := PSI(want.Expected, want.Actual)
			near(t, "PSI", psi, want.PSI, 1e-13)
			near(t, "its p", p, want.PSIP, 1e-11)
			distance, p := KSTest(want.Expected, want.Actual)
			near(t, "distance", distance, want.KS, 1e-14)
			near(t, "its p", p, want.KSP, 1e-13)
			// ks_2samp takes the distribution for as many rows as there are, of one
			// sample, which differs by about 1/√rows.
			near(t, "its p by ks_2samp", p, want.SmallSample, 0.05)
		})
	}
}

func TestAgainstScipyDiscovery(t *testing.T) {
	for _, c := range scipyReference(t).Discovery {
		for i, q := range BenjaminiHochberg(c.P) {
			near(t, "q", q, c.Q[i], 1e-15)
		}
	}
}

func TestAgainstPROC(t *testing.T) {
	samples := referenceSamples(t)
	for _, want := range readCSV(t, "testdata/proc.csv") {
		name := want["case"]
		t.Run(name, func(t *testing.T) {
			p := samples[name]
			a, b := sample(t, p.labels, p.a), sample(t, p.labels, p.b)
			for column, s := range map[string]*Sample{"a": a, "b": b} {
				got, err := s.DeLong(0.95)
				if err != nil {
					t.Fatal(err)
				}
				near(t, "auc "+column, got.Value, number(t, want["auc_"+column]), 1e-12)
				near(t, "error "+column, got.Error, number(t, want["error_"+column]), 1e-12)
				near(t, "low "+column, got.Interval.Low, number(t, want["low_"+column]), 1e-12)
				near(t, "high "+column, got.Interval.High, number(t, want["high_"+column]), 1e-12)
			}
			got, err := DeLongPaired(a, b, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "z", got.Value/got.Error, number(t, want["z"]), 1e-11)
			near(t, "p", got.P, number(t, want["p"]), 1e-12)
			near(t, "low", got.Interval.Low, number(t, want["low"]), 1e-12)
			near(t, "high", got.Interval.High, number(t, want["high"]), 1e-12)
		})
	}
}
