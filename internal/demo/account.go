package demo

// The merchant's account at CJ.
const (
	enterpriseID = "1234567"
	saleTracker  = "398210"
	leadTracker  = "398211"
	// surveyTracker is in the merchant's configuration but not in the account: CJ refuses its orders.
	surveyTracker = "398299"
)

// trackers are the merchant's action trackers by action.
var trackers = map[string]string{"sale": saleTracker, "lead": leadTracker, "survey": surveyTracker}

// defaultAction is the action of orders that name none.
const defaultAction = "sale"
