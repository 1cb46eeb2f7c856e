package consumer

// span is the offsets from one up to but not including another.
type span struct{ from, to int64 }

// spans are disjoint and in rising order.
type spans []span

// from is the part of them at and above an offset.
func (s spans) from(offset int64) spans {
	var rest spans
	for _, one := range s {
		if one.to > offset {
			rest = append(rest, span{max(one.from, offset), one.to})
		}
	}
	return rest
}

// end is the offset after the last of them, 0 when there is none.
func (s spans) end() int64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].to
}
