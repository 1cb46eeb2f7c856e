package letters

import "fmt"

// MaxRedrives is how often an order may be sent again before a person must insist.
const MaxRedrives = 3

// Refused is a letter that is not sent again, and why in plain words.
type Refused struct {
	Letter Letter `json:"letter"`
	Why    string `json:"why"`
}

// Sort parts the letters that may be sent again to the orders' topic from those that may not. With force the number
// of times does not count.
func Sort(chosen []Letter, orders string, force bool) (may []Letter, refused []Refused) {
	for _, l := range chosen {
		if why := refusal(l, orders, force); why != "" {
			refused = append(refused, Refused{l, why})
			continue
		}
		may = append(may, l)
	}
	return may, refused
}

func refusal(l Letter, orders string, force bool) string {
	switch {
	case l.Redriven != nil:
		return fmt.Sprintf("was sent again at %s, as %s", l.Redriven.At.Format("2006-01-02T15:04:05Z07:00"), l.Redriven.To)
	case !l.HasValue():
		return fmt.Sprintf("holds no value: the dead-letter topic did not take its %d bytes. While %s still has the order at %s: raise max.message.bytes "+
			"of the dead-letter topic, mend what it was rejected for, and run `cjrelay replay --partitions %d --to-offset %d --until-offset %d`",
			l.Bytes, l.Order.Topic, l.Order, l.Order.Partition, l.Order.Offset, l.Order.Offset+1)
	case l.Order.Topic != orders:
		return fmt.Sprintf("is of topic %s, and orders.topic is %s", l.Order.Topic, orders)
	case l.Redrives >= MaxRedrives && !force:
		return fmt.Sprintf("was sent again %d times and came back each time: mend what it is rejected for, then insist with "+
			"`cjrelay dlq redrive %d/%d --force --execute`", l.Redrives, l.Place.Partition, l.Place.Offset)
	}
	return ""
}
