package sessions

import (
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// judge finds the click that counts: the latest one captured at or before the order, within the window.
// A miss has the reason that is closest to a hit.
func judge(history History, at time.Time, window time.Duration) (schema.Click, schema.Reason) {
	for i := len(history.Clicks) - 1; i >= 0; i-- {
		click := history.Clicks[i]
		if click.CapturedAt.After(at) {
			continue
		}
		if at.Sub(click.CapturedAt) > window {
			return schema.Click{}, schema.ReasonClickExpired
		}
		return click, ""
	}
	switch {
	case len(history.Clicks) > 0:
		return schema.Click{}, schema.ReasonClickAfterOrder
	case history.Spoiled:
		return schema.Click{}, schema.ReasonClickInvalid
	case history.Erased:
		return schema.Click{}, schema.ReasonClickErased
	default:
		return schema.Click{}, schema.ReasonNoClick
	}
}
