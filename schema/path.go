package schema

import "strconv"

// path says where in an order a value stands. It becomes text only when something is wrong there: building
// "items[2].unit_price" for every value would cost more than reading it.
type path struct {
	list  string // "items", "coupons" or "attributes", empty at the top
	index int    // the element of items or coupons
	name  string // the field, empty for an element that is no object
}

func topField(name string) path { return path{name: name} }

func itemField(index int, name string) path { return path{list: "items", index: index, name: name} }

func attributeField(name string) path { return path{list: "attributes", name: name} }

func (p path) String() string {
	switch p.list {
	case "":
		return p.name
	case "attributes":
		return "attributes[" + Quoted(p.name) + "]"
	}
	element := p.list + "[" + strconv.Itoa(p.index) + "]"
	if p.name == "" {
		return element
	}
	return element + "." + p.name
}

// broken is a *FieldError for the value at p. The value must be safe to show already.
func (p path) broken(value, rule string) error {
	return &FieldError{Field: p.String(), Value: value, Rule: rule}
}
