package cjtest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// ParseScript reads a script as text, for example
//
//	next=5 status=429 retry-after=2; order=ORD-7 status=400; 10s-20s status=503; 20s-25s hang; latency=20ms..80ms
//
// Rules are separated by semicolons or line ends, their words by spaces. The first rule whose conditions all
// hold decides; a request that no rule wants is answered as it deserves. So put the special rules first.
//
//	rule       = { condition } effect              words in any order, each at most once
//	condition  = 10s-20s | 10s-                    since the script was set, the end excluded; durations as in Go
//	           | order=ID                          the order id
//	           | every=N                           each N-th request that the other conditions leave
//	           | next=N                            the first N requests that the other conditions leave
//	effect     = ok                                answer as the request deserves
//	           | status=N                          answer N (200 to 599), whatever the request says
//	           | empty | html                      200 without a body; 200 with an HTML error page
//	           | redirect=URL                      302 to URL
//	           | trickle=BYTES/TIME                200, then the body in pieces of BYTES, one each TIME
//	           | headers                           200 and headers, the body never comes
//	           | hang | reset | cut | malformed    no answer; TCP reset; half a status line; not HTTP
//	also       = latency=50ms | latency=20ms..80ms even | latency=40ms~2s log-normal, median and 99 %
//	           | status=N                          another status for empty, html, redirect, trickle and headers
//	           | retry-after=2 | retry-after=+30s  the header as it stands; +30s is a date 30 seconds on
//	           | body=TEXT                         for status and trickle
//
// A latency alone is an effect too. A value with spaces, semicolons or quotes goes in double quotes, escaped
// as in Go: body="a; b". The empty text is the empty script. Rule.String writes a rule in this form.
func ParseScript(text string) ([]Rule, error) {
	var rules []Rule
	number := 1
	for text != "" {
		words, rest, err := cutRule(text)
		text = rest
		if err == nil && len(words) == 0 {
			continue
		}
		var rule Rule
		if err == nil {
			rule, err = parseRule(words)
		}
		if err != nil {
			return nil, fmt.Errorf("script rule %d: %w", number, err)
		}
		rules = append(rules, rule)
		number++
	}
	return rules, nil
}

// word is NAME or NAME=VALUE, the value without its quotes.
type word struct {
	name, value string
	hasValue    bool
}

// cutRule takes the words of the first rule from text and returns what follows its separator.
func cutRule(text string) (words []word, rest string, err error) {
	for {
		text = strings.TrimLeft(text, " \t\r")
		if text == "" {
			return words, "", nil
		}
		if text[0] == ';' || text[0] == '\n' {
			return words, text[1:], nil
		}
		end := strings.IndexAny(text, " \t\r\n;=")
		if end < 0 || text[end] != '=' {
			if end < 0 {
				end = len(text)
			}
			words = append(words, word{name: text[:end]})
			text = text[end:]
			continue
		}
		w := word{name: text[:end], hasValue: true}
		if w.value, text, err = cutValue(text[end+1:]); err != nil {
			return nil, "", &schema.FieldError{Field: fieldName(w.name), Rule: err.Error()}
		}
		words = append(words, w)
	}
}

func cutValue(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, " \t\r\n;")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], nil
	}
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", errors.New("has an unfinished or badly escaped quotation")
	}
	rest = text[len(quoted):]
	if rest != "" && !strings.ContainsRune(" \t\r\n;", rune(rest[0])) {
		return "", "", errors.New("has characters right after its quotation: put a space between")
	}
	value, err = strconv.Unquote(quoted)
	return value, rest, err
}

func parseRule(words []word) (Rule, error) {
	var rule Rule
	seen := make(map[string]bool)
	effects := 0
	for _, w := range words {
		name := w.name
		if isWindow(w) {
			name = "window"
		}
		if seen[name] {
			return Rule{}, &schema.FieldError{Field: name, Rule: "is there twice"}
		}
		seen[name] = true
		isEffect, err := rule.setWord(name, w)
		if err != nil {
			return Rule{}, err
		}
		if isEffect {
			effects++
		}
	}
	switch {
	case effects > 1 || seen["ok"] && seen["status"]:
		return Rule{}, errors.New("has more than one effect: write one rule for each")
	case effects == 0 && !seen["status"] && !seen["latency"]:
		return Rule{}, errors.New("has no effect: " + effectWords)
	}
	return rule, rule.validate()
}

// isWindow: 10s-20s and 10s- are the only words without a value that begin with a digit or a point.
func isWindow(w word) bool {
	return !w.hasValue && w.name != "" && (isDigit(w.name[0]) || w.name[0] == '.')
}

// setWord puts one word into the rule. isEffect says that it is one of the effects of which a rule has one.
func (r *Rule) setWord(name string, w word) (isEffect bool, err error) {
	fail := func(rule string) error {
		return &schema.FieldError{Field: fieldName(name), Value: schema.Quoted(w.value), Rule: rule}
	}
	takesValue := true
	switch name {
	case "window":
		r.From, r.Until, err = parseWindow(w.name)
		return false, err
	case "order":
		r.Order = w.value
	case "every":
		r.Every, err = parseCount(w.value)
	case "next":
		r.Next, err = parseCount(w.value)
	case "latency":
		r.Latency, err = parseLatency(w.value)
	case "status":
		r.Status, err = parseCount(w.value)
	case "retry-after":
		r.RetryAfter = w.value
	case "body":
		r.Body = w.value
	case "redirect":
		r.Effect, r.Location, isEffect = Redirect, w.value, true
	case "trickle":
		r.Effect, isEffect = Trickle, true
		r.Bytes, r.Tick, err = parsePace(w.value)
	case "ok":
		takesValue, isEffect = false, true
	default:
		r.Effect, takesValue, isEffect = Effect(name), false, true
		if name == "" || !r.Effect.known() {
			return false, &schema.FieldError{Field: fieldName(name), Rule: "is no word of a script: " + effectWords}
		}
	}
	switch {
	case err != nil:
		return false, fail(err.Error())
	case takesValue && w.value == "":
		return false, &schema.FieldError{Field: name, Rule: "needs a value, as in " + name + "=…"}
	case !takesValue && w.hasValue:
		return false, fail("takes no value")
	}
	return isEffect, nil
}

func parseWindow(text string) (from, until time.Duration, err error) {
	first, second, ok := strings.Cut(text, "-")
	from, errFrom := time.ParseDuration(first)
	var errUntil error
	if second != "" {
		until, errUntil = time.ParseDuration(second)
	}
	if !ok || errFrom != nil || errUntil != nil || second != "" && until <= from {
		return 0, 0, &schema.FieldError{Field: "window", Value: schema.Quoted(text), Rule: "must be like 10s-20s, ending after it begins, or 10s- without an end"}
	}
	return from, until, nil
}

func parseCount(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, errors.New("must be a whole number, 1 or more")
	}
	return n, nil
}

func parsePace(text string) (bytes int, tick time.Duration, err error) {
	count, interval, _ := strings.Cut(text, "/")
	bytes, errBytes := strconv.Atoi(count)
	tick, errTick := time.ParseDuration(interval)
	if errBytes != nil || errTick != nil || bytes < 1 || tick <= 0 {
		return 0, 0, errors.New("must be bytes and a time above 0, like 1/100ms")
	}
	return bytes, tick, nil
}

// String writes the rule as text that ParseScript reads back.
func (r Rule) String() string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+"="+quoteWord(value))
		}
	}
	number := func(name string, value int) {
		if value != 0 {
			words = append(words, name+"="+strconv.Itoa(value))
		}
	}
	switch {
	case r.Until != 0:
		words = append(words, r.From.String()+"-"+r.Until.String())
	case r.From != 0:
		words = append(words, r.From.String()+"-")
	}
	add("order", r.Order)
	number("every", r.Every)
	number("next", r.Next)
	if r.Latency != (Latency{}) {
		add("latency", r.Latency.String())
	}
	switch r.Effect {
	case Judge:
		if r.Status == 0 {
			words = append(words, "ok")
		}
	case Redirect:
		add("redirect", r.Location)
	case Trickle:
		words = append(words, fmt.Sprintf("trickle=%d/%s", r.Bytes, r.Tick))
	default:
		words = append(words, string(r.Effect))
	}
	number("status", r.Status)
	add("retry-after", r.RetryAfter)
	add("body", r.Body)
	return strings.Join(words, " ")
}

func quoteWord(value string) string {
	if strings.ContainsAny(value, " \t\r\n;\"") || !strconv.CanBackquote(value) {
		return strconv.Quote(value)
	}
	return value
}
