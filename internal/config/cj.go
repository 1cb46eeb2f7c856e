package config

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// CJ is the merchant's account at CJ and CJ's endpoint.
type CJ struct {
	// Endpoint is the address that postbacks go to, https, or http on this machine only. Only a test against
	// fakecj changes it. Default: https://www.emjcd.com/u.
	Endpoint string `koanf:"endpoint"`
	// EnterpriseID is CJ's CID parameter, digits only. It is not the Company ID (also called advertiser or
	// account id), which CJ's reports use: with that one CJ answers 200 and pays nobody. Needed; CJ's
	// integration engineer gives it to you. Default: none.
	EnterpriseID string `koanf:"enterprise_id"`
	// Actions says which action tracker, CJ's TYPE parameter, stands for the action of an order: name to
	// tracker id. Names are as in the order's action field, and Sale is not sale. At least one is needed.
	// Default: none.
	Actions map[string]string `koanf:"actions"`
	// DefaultAction is the action of orders that name none. It must be one of cj.actions. Default: sale.
	DefaultAction string `koanf:"default_action"`
	// Signature is the static secret that CJ issued to some older accounts. Set it only if CJ says so.
	// Default: none.
	Signature Secret `koanf:"signature"`
	// AttributeNames renames an order's attributes to CJ's parameter names, ours to theirs. An attribute
	// that is not listed goes out under its own name. Default: none.
	AttributeNames map[string]string `koanf:"attribute_names"`
	// MaxQuery is the longest query that is sent; an order that needs more is rejected. CJ documents no
	// limit; a hundred items need 6 to 16 KiB. Range 1KiB to 1MiB. Default: 32KiB.
	MaxQuery Size `koanf:"max_query"`
	// Timeout bounds one request, connecting included. Shorter gives up on answers that were on their way,
	// and sends those orders again; longer keeps a worker busy with a dead connection. It must be below
	// delivery.drain. Range 100ms to 5m. Default: 10s.
	Timeout time.Duration `koanf:"timeout"`
	// RetryAfterCap is the longest wait that CJ's Retry-After header may ask for; without a cap one wrong
	// header could stop delivery for days. Range 1s to 1d. Default: 5m.
	RetryAfterCap time.Duration `koanf:"retry_after_cap"`
}

func defaultCJ() CJ {
	return CJ{
		Endpoint:      postback.EndpointCJ,
		DefaultAction: "sale",
		MaxQuery:      32 * KiB,
		Timeout:       10 * time.Second,
		RetryAfterCap: 5 * time.Minute,
	}
}

func (j CJ) check(c *checker) {
	if problem := endpointProblem(j.Endpoint); problem != "" {
		c.add("cj.endpoint", shownURL(j.Endpoint), problem, "leave it out for "+postback.EndpointCJ)
	}
	if j.EnterpriseID != "" && !isDigits(j.EnterpriseID) {
		c.add("cj.enterprise_id", shown(j.EnterpriseID), "must be digits only, at most 19",
			"take the Enterprise ID, CJ's CID parameter, not the Company ID of CJ's reports or a name")
	}
	j.checkActions(c)
	if position, bad := firstInvisible(string(j.Signature)); bad {
		c.add("cj.signature", j.Signature.String(), "has a blank or control character at position "+shown(position),
			"copy it again, without blanks and line ends")
	}
	j.checkAttributeNames(c)
	within(c, "cj.max_query", j.MaxQuery, KiB, MiB)
	within(c, "cj.timeout", j.Timeout, 100*time.Millisecond, 5*time.Minute)
	within(c, "cj.retry_after_cap", j.RetryAfterCap, time.Second, 24*time.Hour)
}

func (j CJ) checkActions(c *checker) {
	names := slices.Sorted(maps.Keys(j.Actions))
	for _, name := range names {
		if !isWord(name) {
			c.add("cj.actions", shown(name), "an action's name must be letters, digits, dots, dashes and underscores, at most 64",
				"use the name that orders carry in their action field")
		}
		if tracker := j.Actions[name]; !isDigits(tracker) {
			c.add("cj.actions."+name, shown(tracker), "must be an action tracker id, digits only, at most 19",
				"take it from CJ's integration engineer; it is CJ's TYPE parameter")
		}
	}
	if _, known := j.Actions[j.DefaultAction]; len(names) > 0 && !known {
		c.add("cj.default_action", shown(j.DefaultAction), "must be one of cj.actions ("+strings.Join(names, ", ")+"), upper and lower case as there",
			"name one of them, or add it to cj.actions with its action tracker id")
	}
}

// Advertiser is the account at CJ as package postback wants it.
func (j CJ) Advertiser() postback.Advertiser {
	return postback.Advertiser{
		EnterpriseID: j.EnterpriseID, Actions: j.Actions, DefaultAction: j.DefaultAction, Signature: j.Signature.Reveal(),
		AttributeNames: j.AttributeNames, MaxQueryBytes: int(j.MaxQuery),
	}
}

// checkAccount asks who will use the account, so that nothing passes here that stops a process later. CJ's own rules,
// such as the names that it reserves, are only known there.
func (j CJ) checkAccount(c *checker) {
	var field *schema.FieldError
	if _, err := postback.NewBuilder(j.Advertiser()); errors.As(err, &field) {
		c.add("cj."+field.Field, field.Value, field.Rule, "")
	}
}

// checkAttributeNames knows what a parameter's name looks like and that two attributes cannot share one.
func (j CJ) checkAttributeNames(c *checker) {
	owner := map[string]string{}
	for _, attribute := range slices.Sorted(maps.Keys(j.AttributeNames)) {
		parameter := j.AttributeNames[attribute]
		key := "cj.attribute_names." + attribute
		if !isWord(parameter) {
			c.add(key, shown(parameter), "must be a parameter's name: letters, digits, dots, dashes and underscores, at most 64",
				"take the name from CJ's list of vertical parameters")
			continue
		}
		folded := strings.ToLower(parameter) // CJ reads parameter names in any case.
		if other, taken := owner[folded]; taken {
			c.add(key, shown(parameter), "is already the name of "+other, "give every attribute its own parameter")
			continue
		}
		owner[folded] = attribute
	}
}

func isDigits(text string) bool {
	return text != "" && len(text) <= 19 && strings.Trim(text, "0123456789") == ""
}

// isWord accepts what action names and parameter names are made of.
func isWord(text string) bool {
	return text != "" && len(text) <= 64 && isKafkaName(text)
}

// firstInvisible returns the position, from 1, of the first character that cannot be part of a secret in a
// URL or header.
func firstInvisible(text string) (int, bool) {
	position := 0
	for _, r := range text {
		position++
		if r <= ' ' || r > '~' {
			return position, true
		}
	}
	return 0, false
}
