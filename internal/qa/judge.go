package qa

import (
	"fmt"
	"strings"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/postback"
)

// judge writes down what is not as it must be. received is nil where nothing arrived.
func (r *Result) judge(received *cjtest.Received) {
	fail := func(format string, args ...any) { r.Failures = append(r.Failures, fmt.Sprintf(format, args...)) }
	if r.Rehearsal.Class != postback.Acknowledged {
		fail("the fake CJ did not take it: %s", r.Rehearsal.Err)
	}
	if received == nil {
		fail("nothing arrived at the fake CJ")
		return
	}
	for _, problem := range received.Problems {
		fail("CJ's rules: %s", problem)
	}
	if received.Verdict == cjtest.Duplicate {
		fail("CJ would take it for a duplicate: another order of this run has the same id and action tracker")
	}
	for _, p := range r.Parameters {
		switch {
		case p.OK:
		case p.Want == "":
			fail("%s: nothing in the order asks for this parameter", p.Name)
		case p.Got == "":
			fail("%s: must be %s, but is missing", p.Name, p.shown(p.Want))
		default:
			fail("%s: must be %s, but CJ would read %s", p.Name, p.shown(p.Want), p.shown(p.Got))
		}
	}
	for _, f := range r.Figures {
		if !f.OK {
			fail("%s: must come to %s, but CJ would make it %s", strings.ToLower(f.Name), f.Want, orNothing(f.Got))
		}
	}
}

// shown keeps click ids out of failures: unlike the report, they are printed and logged.
func (p *Parameter) shown(value string) string {
	if strings.EqualFold(p.Name, "CJEVENT") {
		return hidden(value)
	}
	return value
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}
