package cjtest

import (
	"net/url"
	"strings"
)

// split takes a raw query apart into params. A part that cannot be decoded stays as it is and is a problem.
func (r *reading) split(query string) {
	if query == "" {
		return
	}
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			r.complain("query", "", "has an empty parameter: write one & between two parameters and none at the ends")
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		decodedName, nameErr := url.QueryUnescape(name)
		decodedValue, valueErr := url.QueryUnescape(value)
		if nameErr != nil {
			decodedName = name
		}
		if valueErr != nil {
			decodedValue = value
		}
		if nameErr != nil || valueErr != nil {
			r.complain(fieldName(decodedName), "", "has broken percent-encoding: write % and two hexadecimal digits")
		}
		r.params = append(r.params, Param{Name: decodedName, Value: decodedValue})
	}
}

// parameter is a name that CJ gives a meaning to.
type parameter uint8

const (
	custom parameter = iota // any name that CJ passes on: vertical and custom parameters
	cid
	action
	method
	cjevent
	eventTime
	oid
	currency
	amount
	discount
	coupon
	customerStatus
	customerCountry
	taxAmount
	parameters // how many there are
)

var parameterNames = [parameters]string{
	cid: "CID", action: "TYPE", method: "METHOD", cjevent: "CJEVENT", eventTime: "EVENTTIME", oid: "OID",
	currency: "CURRENCY", amount: "AMOUNT", discount: "DISCOUNT", coupon: "COUPON",
	customerStatus: "CUST_STATUS", customerCountry: "CUST_COUNTRY", taxAmount: "TAXAMOUNT",
}

// classify knows a name in any letter case. CJ's pixel and API spell some names differently
// (docs.cj.com/docs/additional-vertical-parameters); both spellings are the same parameter here, so that
// sending both counts as sending one twice.
func classify(name string) parameter {
	var buffer [len("CUSTOMERCOUNTRY")]byte
	if len(name) > len(buffer) {
		return custom
	}
	for i := range len(name) {
		buffer[i] = upper(name[i])
	}
	switch string(buffer[:len(name)]) {
	case "CID":
		return cid
	case "TYPE":
		return action
	case "METHOD":
		return method
	case "CJEVENT":
		return cjevent
	case "EVENTTIME":
		return eventTime
	case "OID":
		return oid
	case "CURRENCY":
		return currency
	case "AMOUNT":
		return amount
	case "DISCOUNT":
		return discount
	case "COUPON":
		return coupon
	case "CUST_STATUS", "CUSTOMERSTATUS":
		return customerStatus
	case "CUST_COUNTRY", "CUSTOMERCOUNTRY":
		return customerCountry
	case "TAXAMOUNT", "TAX_AMOUNT":
		return taxAmount
	}
	return custom
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}
