package parquetfile

import (
	"strings"
	"testing"
)

func TestMeasure(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		n    int    // 0: refused
		say  string // why
	}{
		"nothing in it":       {"\x00behind", 1, ""},
		"fields":              {"\x15\x02\x16\x80\x01\x11\x13\x07\x17........\x00", 18, ""},
		"a number of its own": {"\x05\x7f\x02\x00", 4, ""},
		"a text":              {"\x18\x03abc\x00", 6, ""},
		"a list of structs":   {"\x19\x2c\x15\x02\x00\x00\x00", 7, ""},
		"a list of flags":     {"\x19\x31\x01\x02\x01\x00", 6, ""},
		"a map":               {"\x1b\x01\x85a\x00", 0, "shorter"},
		"an empty map":        {"\x1b\x00\x00", 3, ""},
		"no end":              {"\x15\x02", 0, "shorter"},
		"a long text":         {"\x18\xff\xff\xff\xff\x07abc", 0, "shorter"},
		"a long list":         {"\x19\xfc\xff\xff\xff\xff\x07\x00\x00", 0, "shorter"},
		"a long map":          {"\x1b\xff\xff\x03\x88\x00", 0, "shorter"},
		"a type of none":      {"\x1e", 0, "type 14"},
		"too deep":            {strings.Repeat("\x1c", 100), 0, "nested"},
		"too many structs":    {"\x19\xfc\x81\x80\x40" + strings.Repeat("\x00", maxStructs+2), 0, "more than 1048576 structs"},
	} {
		n, err := measure([]byte(c.text))
		if n != c.n || (err == nil) != (c.say == "") || err != nil && !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %d, %v; want %d, %s", name, n, err, c.n, c.say)
		}
	}
}
