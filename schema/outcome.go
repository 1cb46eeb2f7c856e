package schema

// Kind is how an order ended. Each kind is terminal for the order's offset.
type Kind string

// The kinds of outcome.
const (
	Acknowledged Kind = "acknowledged"
	Unattributed Kind = "unattributed"
	Duplicate    Kind = "duplicate"
	DeadLetter   Kind = "dead_letter"
	Parked       Kind = "parked"
)

// Reason says why an order ended as it did. It is a metric label: the set is closed.
type Reason string

// Reasons for Acknowledged.
const (
	// ReasonJoined: the click came from the click table.
	ReasonJoined Reason = "joined"
	// ReasonCarried: the order carried its own click id.
	ReasonCarried Reason = "carried"
)

// Reasons for Unattributed.
const (
	ReasonNoSession       Reason = "no_session"
	ReasonNoClick         Reason = "no_click"
	ReasonClickAfterOrder Reason = "click_after_order"
	ReasonClickExpired    Reason = "click_expired"
	ReasonClickErased     Reason = "click_erased"
	ReasonClickInvalid    Reason = "click_invalid"
	ReasonNoConsent       Reason = "no_consent"
)

// Reasons for DeadLetter.
const (
	// ReasonMalformed: the record's bytes are not an order in the configured format.
	ReasonMalformed Reason = "malformed"
	// ReasonUnknownSchema: the registry has no usable schema under the record's schema id.
	ReasonUnknownSchema Reason = "unknown_schema"
	// ReasonInvalidOrder: the bytes decode, but a field breaks a rule of the canonical form.
	ReasonInvalidOrder Reason = "invalid_order"
	// ReasonUnbuildable: CJ would silently drop the postback of this order.
	ReasonUnbuildable Reason = "unbuildable"
	// ReasonFuture: the order says that it was confirmed further in the future than clocks differ.
	ReasonFuture Reason = "future"
	// ReasonWrongPartition: the join is copartitioned, and the clicks of the order's session are in another
	// partition than the order.
	ReasonWrongPartition Reason = "wrong_partition"
	// ReasonRejected: CJ answered with a status that rejects this order.
	ReasonRejected Reason = "rejected"
)

// Reasons for Duplicate: CJ has acknowledged the same order, from another record.
const (
	// ReasonRepeated: it would have been sent in the same words.
	ReasonRepeated Reason = "repeated"
	// ReasonChanged: it would have been sent in other words. CJ keeps what it got first.
	ReasonChanged Reason = "changed"
)

// Reasons for Parked.
const (
	// ReasonKeepsFailing: the order failed again and again while CJ took others.
	ReasonKeepsFailing Reason = "keeps_failing"
	// ReasonHoldsUpOthers: the order failed and was the oldest of its partition, with too many done after it.
	ReasonHoldsUpOthers Reason = "holds_up_others"
	// ReasonRetentionEnds: the topic would soon have deleted the order's record.
	ReasonRetentionEnds Reason = "retention_ends"
)

// Reasons lists every reason an outcome of each kind can have, so that metrics have a series from the start.
var Reasons = map[Kind][]Reason{
	Acknowledged: {ReasonJoined, ReasonCarried},
	Unattributed: {ReasonNoSession, ReasonNoClick, ReasonClickAfterOrder, ReasonClickExpired, ReasonClickErased, ReasonClickInvalid, ReasonNoConsent},
	DeadLetter:   {ReasonMalformed, ReasonUnknownSchema, ReasonInvalidOrder, ReasonUnbuildable, ReasonFuture, ReasonWrongPartition, ReasonRejected},
	Duplicate:    {ReasonRepeated, ReasonChanged},
	Parked:       {ReasonKeepsFailing, ReasonHoldsUpOthers, ReasonRetentionEnds},
}
