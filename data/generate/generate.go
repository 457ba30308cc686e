// Package generate makes a synthetic customer file with the columns of the
// public Telco churn data set.
//
// Customers are independent of each other. Each is drawn from a small causal
// model (person, tenure, services, contract, bill, churn) whose coefficients
// stand in this package; see [customer]. All arithmetic is on integers, so the
// same seed gives the same bytes on every machine.
package generate

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// The seed and the number of rows of the committed telco_churn.csv. The seed was
// picked by the resulting file: see data/README.md.
const (
	DefaultSeed = 218
	DefaultRows = 7043
)

// Columns are the columns of the public file, in its order.
var Columns = []string{
	"customerID", "gender", "SeniorCitizen", "Partner", "Dependents", "tenure",
	"PhoneService", "MultipleLines", "InternetService",
	"OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport", "StreamingTV", "StreamingMovies",
	"Contract", "PaperlessBilling", "PaymentMethod", "MonthlyCharges", "TotalCharges", "Churn",
}

// Write writes a header and rows customers to w as CSV with LF line ends. The
// first n customers of a seed are the same for every rows >= n. It
// fails if rows is negative or w fails.
func Write(w io.Writer, seed uint64, rows int) error {
	if rows < 0 {
		return fmt.Errorf("%d rows asked for, want 0 or more", rows)
	}
	out := bufio.NewWriter(w) // keeps its first error for Flush
	// No value needs quotes; encoding/csv would put them around a blank.
	line := func(values []string) { _, _ = out.WriteString(strings.Join(values, ",") + "\n") }
	line(Columns)
	d := newDice(seed)
	ids := make(map[int]struct{})
	for range rows {
		line(newCustomer(d, newID(d, ids)).record())
	}
	return out.Flush()
}

// newID draws an ID of the form 1234-ABCDE whose number is not in taken, and adds
// that: of a row, nothing but this number is held.
func newID(d dice, taken map[int]struct{}) string {
	const letters = 26
	for {
		number := d.below(10_000)
		id := fmt.Sprintf("%04d-", number)
		for range 5 {
			letter := d.below(letters)
			id += string(rune('A' + letter))
			number = number*letters + letter
		}
		if _, there := taken[number]; !there {
			taken[number] = struct{}{}
			return id
		}
	}
}
