package consumer

import "slices"

// verdicts are those on the latest distinct orders that reached one stage, latest last. It is not safe for
// concurrent use.
type verdicts struct {
	// size is how many orders it takes to rule.
	size int

	latest []verdict
	// rejections counts the rejected ones among latest.
	rejections int
}

type verdict struct {
	order    string
	rejected bool
}

// ruling is what the latest verdicts say about a rejected order.
type ruling int

const (
	// tooFew: nothing can be said yet.
	tooFew ruling = iota
	// theOrder: less than half are rejected, so the order is to blame.
	theOrder
	// everything: half or more are rejected. It is our set-up or CJ's, and no order is to blame.
	everything
)

func (v *verdicts) ruling() ruling {
	switch {
	case len(v.latest) < v.size:
		return tooFew
	case 2*v.rejections < v.size:
		return theOrder
	default:
		return everything
	}
}

// pass notes that an order passed, be it at a later try. That is always news: where everything had been rejected
// and nothing new comes, the held orders that pass now are all that can tell that the cause is gone.
func (v *verdicts) pass(order string) {
	v.forget(order)
	v.add(verdict{order: order})
}

// reject notes a rejection. Of an order that stands rejected it is no news and changes nothing: held orders are
// tried again and again, and would push out the new ones that pass. That is also why an order that is held
// already, but no longer among the latest, does not come in once more.
func (v *verdicts) reject(order string, held bool) {
	at := v.find(order)
	if at < 0 && held || at >= 0 && v.latest[at].rejected {
		return
	}
	v.forget(order)
	v.add(verdict{order: order, rejected: true})
}

func (v *verdicts) find(order string) int {
	return slices.IndexFunc(v.latest, func(one verdict) bool { return one.order == order })
}

func (v *verdicts) add(one verdict) {
	if len(v.latest) == v.size {
		v.drop(0)
	}
	v.latest = append(v.latest, one)
	if one.rejected {
		v.rejections++
	}
}

func (v *verdicts) forget(order string) {
	if at := v.find(order); at >= 0 {
		v.drop(at)
	}
}

func (v *verdicts) drop(at int) {
	if v.latest[at].rejected {
		v.rejections--
	}
	v.latest = slices.Delete(v.latest, at, at+1)
}
