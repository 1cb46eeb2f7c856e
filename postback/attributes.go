package postback

import (
	"maps"
	"slices"
	"strings"

	"github.com/cjrelay/cjrelay/schema"
)

const maxAttributeName = 64

// attributeNames maps an order's attribute name, in lower case, to the parameter to send. CJ takes parameter
// names in any case, so names that differ only in case are one name here too.
type attributeNames map[string]string

func newAttributeNames(configured map[string]string) (attributeNames, error) {
	names := make(attributeNames, len(configured))
	for _, from := range slices.Sorted(maps.Keys(configured)) {
		field, to := "attribute_names."+from, configured[from]
		if from == "" {
			return nil, refuse("attribute_names", "", "must not have an empty name")
		}
		if rule := badName(to); rule != "" {
			return nil, refuse(field, shown(to), rule)
		}
		lower := strings.ToLower(from)
		if _, repeated := names[lower]; repeated {
			return nil, refuse(field, "", "is mapped twice; names are the same in any case")
		}
		names[lower] = to
	}
	return names, nil
}

// append writes the order's attributes under the names CJ is to see. An attribute without a value is left out,
// but its name must obey the rules all the same.
func (names attributeNames) append(q []byte, attributes []schema.Attribute) ([]byte, error) {
	if len(attributes) == 0 {
		return q, nil
	}
	seen := make(map[string]string, len(attributes))
	for _, attribute := range attributes {
		name := attribute.Name
		if to, mapped := names[strings.ToLower(name)]; mapped {
			name = to
		} else if rule := badName(name); rule != "" {
			return nil, refuse("attributes", shown(name), rule)
		}
		lower := strings.ToLower(name)
		if earlier, repeated := seen[lower]; repeated {
			return nil, refuse("attributes."+attribute.Name, "", "goes out as "+name+", and so does attributes."+earlier+
				"; CJ takes names in any case, so a parameter may be given once")
		}
		seen[lower] = attribute.Name
		if attribute.Value == "" {
			continue
		}
		if err := checkText("attributes."+attribute.Name, attribute.Value); err != nil {
			return nil, err
		}
		q = appendParam(q, name, attribute.Value)
	}
	return q, nil
}

// badName returns the rule that a parameter name breaks, or nothing. That it is reserved comes first: an
// attribute must never override what the order says itself.
func badName(name string) string {
	switch {
	case isReserved(name):
		return "is a parameter that the order's own fields fill; leave it out or give it another name in attribute_names"
	case name == "":
		return "must not be an empty name"
	case len(name) > maxAttributeName:
		return "may be at most 64 characters long"
	}
	for _, r := range name {
		if !isAlphanumeric(r) && r != '_' && r != '.' && r != '-' {
			return "may have only the characters A-Z a-z 0-9 _ . - as a parameter name; give it another one in attribute_names"
		}
	}
	return ""
}

// isReserved reports whether CJ or this package gives the name, in any case, a meaning of its own
// (docs.cj.com/docs/s2s-implementation, with the variants that CJ's own clients send).
func isReserved(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "cid", "type", "method", "cjevent", "eventtime", "oid", "currency", "amount", "discount", "coupon",
		"cust_status", "customerstatus", "customercountry", "cust_country", "signature":
		return true
	}
	numbered := strings.TrimRight(name, "0123456789")
	switch numbered {
	case "item", "amt", "qty", "dcnt":
		return numbered != name
	}
	return false
}
