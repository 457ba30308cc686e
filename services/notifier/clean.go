package notifier

import (
	"strings"
	"unicode"
)

// The most characters of texts in a notice.
const (
	maxWord = 200  // a name
	maxLine = 400  // an explanation
	maxText = 1000 // a reason
)

// clean returns a text as one line of at most limit characters. Control characters
// and those that turn the direction of text around are taken out: they could make
// a header, or a line that reads as another's.
func clean(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}
