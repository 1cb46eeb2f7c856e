package postback

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
)

// Query is the finished query of one postback. Only Builder.Build makes one; the zero Query cannot be sent.
// Two queries are equal (==) if they are the same text. A Query never changes and may be shared freely.
//
// It holds a click id and perhaps the signature, so it prints only what may be seen. Package fmt cannot ask a
// value in an unexported field of another struct how it prints: do not print such a struct whole.
type Query struct{ text string }

// Param is one parameter of a query, decoded.
type Param struct {
	Name, Value string
	// Private marks the click id and the signature: do not log or show their value.
	Private bool
}

// Raw returns the query text, percent-encoded, without a leading question mark. It holds the click id and the
// signature: for the wire only.
func (q Query) Raw() string { return q.text }

// URL returns the whole address for an endpoint such as https://www.emjcd.com/u. It is as private as Raw.
func (q Query) URL(endpoint string) string { return endpoint + "?" + q.text }

// SHA256 returns the hash of Raw in hex. It proves that two postbacks were the same without showing them.
func (q Query) SHA256() string {
	sum := sha256.Sum256([]byte(q.text))
	return hex.EncodeToString(sum[:])
}

// Params returns the parameters in the order in which they are sent, for explanation.
func (q Query) Params() []Param {
	if q.text == "" {
		return nil
	}
	params := make([]Param, 0, strings.Count(q.text, "&")+1)
	for pair := range strings.SplitSeq(q.text, "&") {
		name, escaped, _ := strings.Cut(pair, "=")
		// Build escaped the value itself, so it cannot fail to decode.
		value, _ := url.PathUnescape(escaped)
		params = append(params, Param{Name: name, Value: value, Private: name == "CJEVENT" || name == "SIGNATURE"})
	}
	return params
}

// String names the postback by order, action tracker, length and hash. It shows neither click id nor signature.
func (q Query) String() string {
	if q.text == "" {
		return "no postback"
	}
	var order, tracker string
	for _, param := range q.Params() {
		switch param.Name {
		case "OID":
			order = param.Value
		case "TYPE":
			tracker = param.Value
		}
	}
	return fmt.Sprintf("postback of order %s to action tracker %s (%d bytes, sha256 %s)", order, tracker, len(q.text), q.SHA256()[:12])
}

// Format writes String under every verb, %#v included.
func (q Query) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, q.String()) }

// LogValue keeps the query out of structured logs.
func (q Query) LogValue() slog.Value { return slog.StringValue(q.String()) }
