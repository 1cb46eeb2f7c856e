package qa

import (
	"strings"

	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// Account is who reports, and where.
type Account struct {
	// Name is the advertiser's name for the report's heading. Empty leaves it out.
	Name string
	// Sample marks an account that was made up because none is configured.
	Sample bool
	// Endpoint is where the postbacks go, or would go.
	Endpoint string
	postback.Advertiser
}

// The click id and the account of a run that was given none.
const (
	// SampleClickID looks like CJ's click ids, and CJ never issued it.
	SampleClickID = "5a3ec1ed00000000000000000c1a0a11"
	// SampleEnterpriseID is the number in CJ's own examples.
	SampleEnterpriseID = "1234567"
)

// SampleAccount is made up, with the actions sale and lead. Nothing may be sent with it.
func SampleAccount() Account {
	return Account{
		Sample:   true,
		Endpoint: postback.EndpointCJ,
		Advertiser: postback.Advertiser{
			EnterpriseID: SampleEnterpriseID, Actions: map[string]string{"sale": "398210", "lead": "398211"}, DefaultAction: "sale",
		},
	}
}

// action is the name of an order's action, the default one where it names none.
func (a Account) action(o *schema.Order) string {
	if o.Action == "" {
		return a.DefaultAction
	}
	return o.Action
}

// parameterName is the name that an attribute is to go out under.
func (a Account) parameterName(attribute string) string {
	for from, to := range a.AttributeNames {
		if strings.EqualFold(from, attribute) {
			return to
		}
	}
	return attribute
}
