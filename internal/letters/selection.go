package letters

import (
	"slices"
	"time"
)

// Selection is which letters are meant. Every part of it that is set must hold; the zero value means all that wait.
type Selection struct {
	// Reasons are those of the letters.
	Reasons []string
	// Since and Until are when they were written, Until not included.
	Since, Until time.Time
	// Named are letters by place or order id. A name that fits none is the caller's to complain about.
	Named []string
	// Redriven takes in those that were sent again already.
	Redriven bool
	// Limit is how many of the oldest are taken, 0 for all.
	Limit int
}

// Choose returns the letters that are meant, in their order.
func (b *Box) Choose(s Selection) []Letter {
	var chosen []Letter
	for _, l := range b.Letters {
		if s.Limit > 0 && len(chosen) == s.Limit {
			break
		}
		if s.has(l) {
			chosen = append(chosen, l)
		}
	}
	return chosen
}

func (s Selection) has(l Letter) bool {
	switch {
	case l.Redriven != nil && !s.Redriven:
		return false
	case len(s.Reasons) > 0 && !slices.Contains(s.Reasons, l.Reason):
		return false
	case !s.Since.IsZero() && l.At.Before(s.Since), !s.Until.IsZero() && !l.At.Before(s.Until):
		return false
	}
	return len(s.Named) == 0 || slices.ContainsFunc(s.Named, l.is)
}

// is tells whether a name means the letter. Whether a text is a place or an order id nobody can tell from it alone.
func (l Letter) is(name string) bool {
	place, ok := ParsePlace(name, l.Place.Topic)
	return ok && place == l.Place || name != "" && name == l.OrderID
}

// Unmatched are the names of a selection that mean no letter at all.
func (b *Box) Unmatched(s Selection) []string {
	return slices.DeleteFunc(slices.Clone(s.Named), func(name string) bool {
		return slices.ContainsFunc(b.Letters, func(l Letter) bool { return l.is(name) })
	})
}
