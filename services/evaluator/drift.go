package evaluator

import (
	"github.com/asfotec/churn/pkg/dataset"
	"github.com/asfotec/churn/pkg/evaluation"
	"github.com/asfotec/churn/pkg/profile"
	"github.com/asfotec/churn/pkg/stat"
)

// drift holds the data of the candidate's run beside that of the champion's,
// column by column, for the columns that both have. The tests take the two for
// samples of their own: rows that are in both make them slow to speak, not quick.
func drift(version int64, was, is *profile.Document, level float64) *evaluation.Drift {
	d := &evaluation.Drift{ChampionVersion: version, ChampionRows: was.Rows["all"].Rows, Level: level, Columns: []evaluation.ColumnDrift{}}
	var p []float64
	for i := range is.Columns {
		former := was.Column(is.Columns[i].Name)
		if former == nil || former.Kind != is.Columns[i].Kind {
			continue
		}
		column := columnDrift(former, &is.Columns[i])
		d.Columns, p = append(d.Columns, column), append(p, smaller(column))
	}
	for i, q := range stat.BenjaminiHochberg(p) {
		d.Columns[i].Q, d.Columns[i].Drifted = q, q <= level
		if d.Columns[i].Drifted {
			d.Drifted++
		}
	}
	return d
}

// smaller is a column's p-value: the smaller of its tests', by Bonferroni.
func smaller(c evaluation.ColumnDrift) float64 {
	if c.Kind == string(dataset.Categorical) {
		return c.PSIP
	}
	return min(1, 2*min(c.PSIP, c.KSP))
}

func columnDrift(was, is *profile.Column) evaluation.ColumnDrift {
	out := evaluation.ColumnDrift{Name: is.Name, Kind: string(is.Kind), PSIP: 1, KSP: 1}
	if is.Kind == dataset.Categorical {
		before, after := profile.Categories(was, is)
		out.PSI, out.PSIP = stat.PSI(before, after)
		out.Unseen, out.UnseenRows = unseen(was, is)
		return out
	}
	before, after := profile.Bins(was.Numbers, is.Numbers)
	out.KS, out.KSP = stat.KSTest(before, after)
	before, after = profile.Deciles(before, after)
	// Blanks are a bin of their own: a column that ceases to be filled in has drifted.
	out.PSI, out.PSIP = stat.PSI(append(before, was.Blanks), append(after, is.Blanks))
	return out
}

// maxUnseen is how many categories that are new are named.
const maxUnseen = 20

// unseen returns the categories that only is has, by name, and their rows. If was
// had more than are counted, nobody knows.
func unseen(was, is *profile.Column) (names []string, rows int64) {
	if was.Other > 0 {
		return nil, 0
	}
	known := map[string]bool{}
	for _, c := range was.Categories {
		known[c.Name] = true
	}
	for _, c := range is.Categories {
		if known[c.Name] {
			continue
		}
		if rows += c.Rows; len(names) < maxUnseen {
			names = append(names, c.Name)
		}
	}
	return names, rows
}
