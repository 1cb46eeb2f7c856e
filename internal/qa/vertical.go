package qa

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

// verticalText lists CJ's vertical parameters, one a line: name in CJ's API and documentation, name in CJ's pixel
// where it differs, vertical, type, values or note. From docs.cj.com/docs/additional-vertical-parameters, CJ's
// Tracking API schema and CJ's tag template.
//
//go:embed vertical.tsv
var verticalText string

// vertical is one of CJ's vertical parameters.
type vertical struct {
	name, pixelName string
	// trade is travel, finance or all.
	trade      string
	form, note string
}

// verticals finds CJ's vertical parameters by either name, in lower case: CJ takes names in any case.
var verticals = sync.OnceValue(func() map[string]vertical {
	byName := map[string]vertical{}
	for line := range strings.Lines(verticalText) {
		column := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		v := vertical{name: column[0], pixelName: column[1], trade: column[2], form: column[3], note: column[4]}
		byName[strings.ToLower(v.name)] = v
		if v.pixelName != "" {
			byName[strings.ToLower(v.pixelName)] = v
		}
	}
	return byName
})

// verticalRule explains a parameter that is none of the order's own.
func verticalRule(name string) Rule {
	v, known := verticals()[strings.ToLower(name)]
	if !known {
		return Rule{"A custom parameter. CJ's own tags pass names like this on as they are.", InCode, ""}
	}
	text := "A vertical parameter"
	if v.trade != "all" {
		text += " of " + v.trade
	}
	text += ": " + v.form
	switch {
	case v.form == "one of":
		text += " " + v.note
	case v.note != "":
		text += ", " + v.note
	}
	if v.pixelName == "" {
		return Rule{text + ".", Documented, ""}
	}
	// Which of the two a postback needs is documented nowhere.
	return Rule{fmt.Sprintf("%s. Spelled %s in CJ's API and %s in its pixel.", text, v.name, v.pixelName), Unknown, askNames}
}
