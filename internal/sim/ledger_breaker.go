//go:build synctests

package sim

import (
	"slices"
	"strings"
	"time"
)

// checkBreakers demands that a relay sent nothing while its circuit was open, and no more than its probes while it was
// half-open. A failure that a half-open circuit outlives is none of them: the order is known to fail alone.
func (l *ledger) checkBreakers() {
	requests := l.cj.all()
	for _, u := range l.all() {
		states := u.log.when(breakerOpened, breakerChanged)
		for i, m := range states {
			until := u.ended
			if i+1 < len(states) {
				until = states[i+1].at
			}
			if m.state != "open" && m.state != "half-open" {
				continue
			}
			sent, freed := 0, 0
			var first time.Duration
			for _, r := range requests {
				if r.relay == u.name && r.at.After(m.at.Add(l.straggles(u, m.at))) && r.at.Before(until) {
					if sent++; sent == 1 {
						first = r.at.Sub(m.at)
					}
					outlived := isFailure(r.status) && r.ended.Add(4*l.options.Delay).Before(until)
					cancelled := r.status == 0 && r.ended.Sub(r.at) < l.options.Timeout
					if outlived || cancelled {
						freed++
					}
				}
			}
			switch {
			case m.state == "open" && sent > 0:
				l.found(breakerHolds, "%s sent %d requests while its circuit was open, from %v to %v, the first after %v", u.name, sent, l.since(m.at), l.since(until), first)
			case m.state == "half-open" && sent-freed > l.config.Breaker.Probes:
				l.found(breakerHolds, "%s sent %d requests while its circuit was half-open, from %v to %v", u.name, sent, l.since(m.at), l.since(until))
			}
		}
	}
}

// isFailure tells whether CJ's answer, 0 for none, is one that a breaker counts.
func isFailure(status int) bool {
	switch status {
	case 401, 403, 404, 405, 407, 408, 425, 429:
		return true
	}
	return status < 200 || 300 <= status && status < 400 || status >= 500
}

// checkSecrets looks for click ids, e-mail addresses and the signature where people and machines look.
func (l *ledger) checkSecrets() {
	secrets := map[string]string{"the signature": signature}
	for _, s := range l.shoppers {
		if s.carried != "" && s.click == s.carried {
			secrets["the click of "+s.id] = s.carried
		}
		for _, v := range s.visits {
			if v.click != "" {
				secrets["a click of "+s.id] = v.click
			}
		}
		if strings.Contains(s.session, "@") {
			secrets["the e-mail address of "+s.id] = s.session
		}
	}
	for _, u := range l.all() {
		log, metrics := u.log.text(), u.exposition()
		for what, secret := range secrets {
			if strings.Contains(log, secret) {
				l.found(nothingSecretShown, "the log of %s shows %s", u.name, what)
			}
			if strings.Contains(metrics, secret) {
				l.found(nothingSecretShown, "the metrics of %s show %s", u.name, what)
			}
		}
	}
	for _, letters := range l.letters {
		for _, r := range letters {
			for what, secret := range secrets {
				if strings.Contains(header(r, "cjrelay-error"), secret) {
					l.found(nothingSecretShown, "a dead letter's error shows %s", what)
				}
			}
		}
	}
}

// straggles is how long after a change of its circuit a relay's request may still arrive that was sent before: net/http
// repeats one whose kept connection breaks before an answer on the next such connection, as long as there is one. Where
// it could not connect, a request waits for a connection as long as it may take at all.
func (l *ledger) straggles(u *unit, at time.Time) time.Duration {
	if slices.ContainsFunc(u.away, func(i interval) bool { return i.meets(at.Add(-dialTimeout), at) }) {
		return l.options.Timeout
	}
	return time.Duration(l.options.Concurrency+2) * 2 * l.options.Delay
}
