package generate

import (
	"bytes"
	"encoding/csv"
	"errors"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

const committed = "../telco_churn.csv"

func TestReproducesCommittedFile(t *testing.T) {
	want, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if got := file(t, DefaultSeed, DefaultRows); !bytes.Equal(got, want) {
		t.Errorf("%s differs from what the generator makes; in data/ run: go run ./cmd/generate -o telco_churn.csv", committed)
	}
}

func TestCommittedFileIsLikeThePublicOne(t *testing.T) {
	rows := parse(t, file(t, DefaultSeed, DefaultRows))
	if len(rows) != 7043 {
		t.Errorf("%d rows, want 7043", len(rows))
	}
	churned := count(rows, func(r row) bool { return r["Churn"] == yes })
	if share := float64(churned) / float64(len(rows)); math.Abs(share-0.265) > 0.003 {
		t.Errorf("churn share is %.4f, want 0.265 ± 0.003", share)
	}
	if blank := count(rows, func(r row) bool { return r["TotalCharges"] == " " }); blank != 11 {
		t.Errorf("%d rows have a blank TotalCharges, want 11", blank)
	}
}

// Every row of every seed keeps these rules; a rule returns whether the row does.
func TestRowsAreConsistent(t *testing.T) {
	addOns := []string{"OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport", "StreamingTV", "StreamingMovies"}
	amount := regexp.MustCompile(`^[1-9][0-9]*(\.[0-9]?[1-9])?$`)
	rules := map[string]func(row) bool{
		"gender":           oneOf("gender", "Female", "Male"),
		"SeniorCitizen":    oneOf("SeniorCitizen", "0", "1"),
		"Partner":          oneOf("Partner", yes, no),
		"Dependents":       oneOf("Dependents", yes, no),
		"PhoneService":     oneOf("PhoneService", yes, no),
		"MultipleLines":    oneOf("MultipleLines", yes, no, noPhone),
		"InternetService":  oneOf("InternetService", dsl, fiber, no),
		"Contract":         oneOf("Contract", monthly, oneYear, twoYear),
		"PaperlessBilling": oneOf("PaperlessBilling", yes, no),
		"PaymentMethod":    oneOf("PaymentMethod", electronicCheck, mailedCheck, bankTransfer, creditCard),
		"Churn":            oneOf("Churn", yes, no),
		"tenure":           func(r row) bool { return r.number("tenure") >= 0 && r.number("tenure") <= maxTenure },
		"MonthlyCharges":   func(r row) bool { return amount.MatchString(r["MonthlyCharges"]) },
		"a blank total means no tenure": func(r row) bool {
			return (r["TotalCharges"] == " ") == (r["tenure"] == "0")
		},
		"nobody without tenure has left": func(r row) bool { return r["tenure"] != "0" || r["Churn"] == no },
		"one month's total is its charge": func(r row) bool {
			return r["tenure"] != "1" || r["TotalCharges"] == r["MonthlyCharges"]
		},
		"total is about tenure times charge": func(r row) bool {
			if r["tenure"] == "0" {
				return true
			}
			want := r.number("tenure") * r.number("MonthlyCharges")
			return amount.MatchString(r["TotalCharges"]) && math.Abs(r.number("TotalCharges")-want) <= want/3
		},
		"no phone, no lines":      func(r row) bool { return (r["PhoneService"] == no) == (r["MultipleLines"] == noPhone) },
		"everybody has a service": func(r row) bool { return r["PhoneService"] == yes || r["InternetService"] != no },
		"no internet, no add-ons": func(r row) bool {
			return !slices.ContainsFunc(addOns, func(c string) bool {
				return (r["InternetService"] == no) != (r[c] == noInternet) || !oneOf(c, yes, no, noInternet)(r)
			})
		},
	}
	for _, seed := range []uint64{0, DefaultSeed, math.MaxUint64} {
		for i, r := range parse(t, file(t, seed, DefaultRows)) {
			for rule, holds := range rules {
				if !holds(r) {
					t.Fatalf("seed %d, row %d breaks %q: %v", seed, i+1, rule, r)
				}
			}
		}
	}
}

func TestIDsAreUnique(t *testing.T) {
	form := regexp.MustCompile(`^[0-9]{4}-[A-Z]{5}$`)
	seen := map[string]bool{}
	for _, r := range parse(t, file(t, DefaultSeed, DefaultRows)) {
		id := r["customerID"]
		if seen[id] || !form.MatchString(id) {
			t.Errorf("customerID %q is there twice or not of the form 1234-ABCDE", id)
		}
		seen[id] = true
	}
}

func TestFewerRowsAreAPrefix(t *testing.T) {
	if !bytes.HasPrefix(file(t, 7, 100), file(t, 7, 10)) {
		t.Error("10 rows are not the first of 100 rows of the same seed")
	}
	if bytes.Equal(file(t, 7, 10), file(t, 8, 10)) {
		t.Error("two seeds make the same rows")
	}
}

func TestWriteFails(t *testing.T) {
	if err := Write(&bytes.Buffer{}, 0, -1); err == nil {
		t.Error("-1 rows: no error")
	}
	if err := Write(full{}, 0, 1); !errors.Is(err, errFull) {
		t.Errorf("error is %v, want the writer's", err)
	}
}

// likely must be the probit model that the coefficients are written for.
func TestLikelyIsProbit(t *testing.T) {
	d := newDice(1)
	const draws = 100_000
	for _, score := range []int{-200, -100, 0, 50, 150} {
		hits := 0
		for range draws {
			if d.likely(score) {
				hits++
			}
		}
		want := (1 + math.Erf(float64(score)/100/math.Sqrt2)) / 2
		if got := float64(hits) / draws; math.Abs(got-want) > 0.01 {
			t.Errorf("likely(%d) is true with probability %.3f, want %.3f", score, got, want)
		}
	}
}

func TestMoney(t *testing.T) {
	for cents, want := range map[int]string{2000: "20", 2990: "29.9", 2985: "29.85", 2905: "29.05", 100_000: "1000"} {
		if got := money(cents); got != want {
			t.Errorf("money(%d) = %q, want %q", cents, got, want)
		}
	}
}

var errFull = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// row is a row's values by column.
type row map[string]string

// number is the value of a numeric column, NaN if it is none.
func (r row) number(column string) float64 {
	v, err := strconv.ParseFloat(r[column], 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

func oneOf(column string, values ...string) func(row) bool {
	return func(r row) bool { return slices.Contains(values, r[column]) }
}

func count(rows []row, holds func(row) bool) int {
	n := 0
	for _, r := range rows {
		if holds(r) {
			n++
		}
	}
	return n
}

func file(t *testing.T, seed uint64, rows int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, seed, rows); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// parse reads a file that was written with the public columns and LF line ends.
func parse(t *testing.T, text []byte) []row {
	t.Helper()
	if bytes.ContainsRune(text, '\r') || !bytes.HasSuffix(text, []byte("\n")) {
		t.Fatal("the line ends are not LF")
	}
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(records[0], Columns) {
		t.Fatalf("the header is %q", records[0])
	}
	rows := make([]row, 0, len(records)-1)
	for _, record := range records[1:] {
		r := row{}
		for i, value := range record {
			r[Columns[i]] = value
		}
		rows = append(rows, r)
	}
	return rows
}
