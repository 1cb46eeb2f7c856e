package config

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// webAddressProblem returns the rule that an http address breaks, or nothing.
func webAddressProblem(text string) string {
	address, err := url.Parse(text)
	switch {
	case err != nil || address.Hostname() == "" || (address.Scheme != "http" && address.Scheme != "https"):
		return "must be an absolute http or https address"
	case address.User != nil:
		return "must not carry a user name or password: they would end up in logs"
	case strings.ContainsAny(text, "?#"):
		return "must end before ? and #"
	case strings.Contains(text, " "):
		return "must be without blanks"
	}
	return ""
}

// endpointProblem adds that postbacks, which carry orders and perhaps a signature, leave the machine only
// encrypted.
func endpointProblem(text string) string {
	if problem := webAddressProblem(text); problem != "" {
		return problem
	}
	address, _ := url.Parse(text)
	if address.Scheme == "http" && !isLoopback(address.Hostname()) {
		return "must be https: plain http is allowed to this machine only"
	}
	return ""
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// shownURL shows an address in a message without the places where secrets hide: user, password, query.
func shownURL(text string) string { return strconv.Quote(publicURL(text)) }

// publicURL cuts user, password, query and fragment from an address, valid or not.
func publicURL(text string) string {
	if end := strings.IndexAny(text, "?#"); end >= 0 {
		text = text[:end] + "…"
	}
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		scheme, _, found := strings.Cut(text, "://")
		if !found || len(scheme) > at {
			scheme = ""
		} else {
			scheme += "://"
		}
		text = scheme + "…" + text[at:]
	}
	return text
}
