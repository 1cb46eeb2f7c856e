package capture

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// origin tells where a request came from. What a header says of that counts only when a trusted proxy sent it: a
// client can write whatever it likes.
type origin struct{ proxies []netip.Prefix }

// peer is the address at the other end of the connection; invalid where that is none, as on a Unix socket.
func peer(r *http.Request) netip.Addr {
	port, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return port.Addr().Unmap().WithZone("")
}

func (o origin) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(o.proxies, func(p netip.Prefix) bool { return p.Contains(address) })
}

// trusted tells whether a trusted proxy sent the request.
func (o origin) trusted(r *http.Request) bool { return FromProxy(r, o.proxies) }

// FromProxy tells whether one of the proxies is at the other end of the request's connection, so that its word counts for
// where the request came from.
func FromProxy(r *http.Request, proxies []netip.Prefix) bool { return origin{proxies}.trusts(peer(r)) }

// client is the address that the request began at: going back over the trusted proxies, the first that is not one. All
// that lies beyond it was written by strangers.
func (o origin) client(r *http.Request) netip.Addr {
	address := peer(r)
	if !o.trusts(address) {
		return address
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		if address = before.Unmap().WithZone(""); !o.trusts(address) {
			break
		}
	}
	return address
}

// host is the name that the shopper's browser asked for, in lower case, without port and brackets.
func (o origin) host(r *http.Request) string {
	host := r.Host
	if forwarded := first(r.Header.Get("X-Forwarded-Host")); forwarded != "" && o.trusted(r) {
		host = forwarded
	}
	return hostName(host)
}

func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// secure tells whether the shopper's browser asked over HTTPS.
func (o origin) secure(r *http.Request) bool {
	if forwarded := first(r.Header.Get("X-Forwarded-Proto")); forwarded != "" && o.trusted(r) {
		return strings.EqualFold(forwarded, "https")
	}
	return r.TLS != nil
}

// first is the first entry of a list header: what the proxy nearest to the client has written.
func first(list string) string {
	entry, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(entry)
}
