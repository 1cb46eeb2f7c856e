package postback

import "time"

// appendParam writes &name=value. The name must need no escape.
func appendParam(q []byte, name, value string) []byte {
	q = append(append(append(q, '&'), name...), '=')
	return appendEscaped(q, value)
}

// appendEscaped percent-encodes all but the unreserved characters of RFC 3986. A space becomes %20 and never
// a plus, which some servers take literally.
func appendEscaped(q []byte, value string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(value) {
		c := value[i]
		if isAlphanumeric(rune(c)) || c == '-' || c == '.' || c == '_' || c == '~' {
			q = append(q, c)
			continue
		}
		q = append(q, '%', hex[c>>4], hex[c&15])
	}
	return q
}

// appendTime writes a time as CJ documents it, UTC with milliseconds and Z (docs.cj.com/docs/neworders-api-implementation).
// The rest of the second is cut, not rounded: rounding could move the order into the future.
func appendTime(q []byte, t time.Time) []byte {
	var stamp [32]byte
	for _, c := range t.UTC().AppendFormat(stamp[:0], "2006-01-02T15:04:05.000Z") {
		if c == ':' {
			q = append(q, "%3A"...)
			continue
		}
		q = append(q, c)
	}
	return q
}
