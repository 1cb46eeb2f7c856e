package postback

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/cjrelay/cjrelay/schema"
)

// EndpointCJ is where CJ takes postbacks (docs.cj.com/docs/s2s-implementation).
const EndpointCJ = "https://www.emjcd.com/u"

// parseEndpoint reads an endpoint and refuses one that would send orders astray or in clear text.
func parseEndpoint(endpoint string) (*url.URL, error) {
	const field, example = "endpoint", "must be an absolute URL like " + EndpointCJ
	if endpoint == "" {
		return nil, refuse(field, "", "must be given, for example "+EndpointCJ)
	}
	parsed, err := url.Parse(endpoint)
	if err != nil {
		// The parser's error repeats the text, which may hold a password.
		return nil, refuse(field, schema.Hidden(endpoint, nil), example)
	}
	if parsed.User != nil {
		return nil, refuse(field, schema.Hidden(endpoint, nil), "must not hold a user name or password; CJ's postback has none")
	}
	switch {
	case parsed.RawQuery != "" || strings.ContainsAny(endpoint, "?#"):
		return nil, refuse(field, schema.Hidden(endpoint, nil), "must end with the path; the query is built for each order")
	case parsed.Scheme != "https" && parsed.Scheme != "http", parsed.Hostname() == "", strings.Contains(endpoint, " "):
		return nil, refuse(field, schema.Quoted(endpoint), example)
	case parsed.Scheme == "http" && !isLoopback(parsed.Hostname()):
		return nil, refuse(field, schema.Quoted(endpoint), "must use https: orders and click ids may not cross a network in clear text; http is only for this machine (localhost, 127.0.0.1, [::1])")
	}
	return parsed, nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.Unmap().IsLoopback()
}
