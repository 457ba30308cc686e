package report

import (
	"encoding/base64"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// png is safe as a URL: base64 of bytes that this process drew or whose digest it
// has verified, shown by an img element and never run.
func png(b []byte) template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b))
}

func number(v float64) string { return minus(strconv.FormatFloat(v, 'f', 4, 64)) }

// signed is number with a plus where it is due.
func signed(v float64) string {
	s := number(v)
	if math.Round(v*1e4) > 0 {
		return "+" + s
	}
	if math.Round(v*1e4) == 0 {
		return "0.0000"
	}
	return s
}

func pvalue(p float64) string {
	if p < 0.0001 {
		return "p < 0.0001"
	}
	return "p = " + number(p)
}

// percent has one decimal, unless that is a zero.
func percent(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(100*v, 'f', 1, 64), ".0") + "\u00a0%"
}

// count groups the digits by thin spaces.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var out strings.Builder
	for i, r := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			out.WriteRune('\u202f')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// longest is how many characters of a text from the data are shown.
const longest = 120

// cut shortens a text that is too long to be shown.
func cut(text string) string {
	runes := 0
	for i := range text {
		if runes++; runes > longest {
			return text[:i] + "…"
		}
	}
	return text
}

// minus puts the typographic minus sign, as wide as a plus.
func minus(s string) string { return strings.Replace(s, "-", "−", 1) }
