package capture

import (
	"net/url"
	"strings"

	"github.com/cjrelay/cjrelay/schema"
)

const (
	// parameterName is CJ's, in any case (docs.cj.com/docs/http-cookie).
	parameterName = "cjevent"
	// maxQueryBytes and maxParameters bound what looking for the click id may cost.
	maxQueryBytes = 32 << 10
	maxParameters = 1_000
)

// clickInQuery returns the click id in a raw query, "" when there is none. As in CJ's own tag the first parameter of that
// name counts, whatever later ones say; one without a value is absent, since links have it from templates. landed tells
// that there was one; the refusal is empty unless it is not to be believed.
func clickInQuery(query string) (id string, landed bool, refused refusal) {
	if len(query) < len(parameterName) {
		return "", false, ""
	}
	cut := len(query) > maxQueryBytes
	if cut {
		// What the bound leaves of the last parameter may be half of a click id.
		query = query[:strings.LastIndexByte(query[:maxQueryBytes+1], '&')+1]
	}
	for count := 0; query != ""; count++ {
		if count == maxParameters {
			return "", false, refusedQuery
		}
		var parameter string
		parameter, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(parameter, "=")
		if !isParameter(name) || value == "" {
			continue
		}
		if strings.IndexByte(value, '%') >= 0 {
			decoded, err := url.PathUnescape(value)
			if err != nil {
				return "", true, refusedClickID
			}
			value = decoded
		}
		if schema.ValidClickID(value) != nil {
			return "", true, refusedClickID
		}
		return value, true, ""
	}
	if cut {
		return "", false, refusedQuery
	}
	return "", false, ""
}

// isParameter tells whether the name of a parameter, as it stands in the query, is CJ's.
func isParameter(name string) bool {
	if len(name) == len(parameterName) {
		return strings.EqualFold(name, parameterName)
	}
	if len(name) > 3*len(parameterName) || strings.IndexByte(name, '%') < 0 {
		return false
	}
	decoded, err := url.PathUnescape(name)
	return err == nil && len(decoded) == len(parameterName) && strings.EqualFold(decoded, parameterName)
}
