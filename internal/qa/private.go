package qa

import (
	"net/url"
	"strings"

	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

const signatureName = "SIGNATURE"

// shownURL is the whole request without the signature, the one part that is a secret. The click id stays: it is
// CJ's own, and the engineer looks the order up by it.
func shownURL(endpoint string, q postback.Query) string {
	parts := strings.Split(q.Raw(), "&")
	for i, part := range parts {
		if name, _, _ := strings.Cut(part, "="); strings.EqualFold(name, signatureName) {
			parts[i] = name + "=HIDDEN"
		}
	}
	return endpoint + "?" + strings.Join(parts, "&")
}

// hidden is a secret's length, or nothing for no secret.
func hidden(secret string) string {
	if secret == "" {
		return ""
	}
	return schema.Hidden(secret, nil)
}

// impersonal hides a value that may hold an e-mail address. Such an order is never sent, but the report of it is
// mailed.
func impersonal(value string) string {
	decoded := value
	for range maxEscapes {
		next, err := url.PathUnescape(decoded)
		if err != nil || next == decoded {
			break
		}
		decoded = next
	}
	if strings.ContainsRune(decoded, '@') || strings.Contains(decoded, "%40") {
		return hidden(value)
	}
	return value
}

// maxEscapes is how often a value is taken to be percent-encoded at most.
const maxEscapes = 8
