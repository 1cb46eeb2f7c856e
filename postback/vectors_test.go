package postback_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

type vectorFile struct {
	CJEvent         string   `json:"cjevent"`
	EnterpriseID    string   `json:"enterprise_id"`
	ActionTrackerID string   `json:"action_tracker_id"`
	Vectors         []vector `json:"vectors"`
}

type vector struct {
	ID         string `json:"id"`
	ClientURL  string `json:"client_url"`
	KnownWrong bool   `json:"known_wrong"`
	Ours       string `json:"ours"`
	TrueTotal  string `json:"true_total"`
	Signature  string `json:"signature"`
	// ClientExtras are parameters that name the client and mean nothing to CJ.
	ClientExtras []string `json:"client_extras"`
	// RefusedField is the field of the client's order that we refuse.
	RefusedField string `json:"refused_field"`
	// LegalOrderID makes the order one that CJ takes.
	LegalOrderID string `json:"legal_order_id"`
	// TrueOrderBuilds: the order as it was builds, but not to the client's wrong URL.
	TrueOrderBuilds bool        `json:"true_order_builds"`
	Order           vectorOrder `json:"order"`
}

type vectorOrder struct {
	ID              string            `json:"order_id"`
	ConfirmedAt     time.Time         `json:"confirmed_at"`
	Currency        string            `json:"currency"`
	Items           []vectorItem      `json:"items"`
	Discount        string            `json:"discount"`
	Amount          string            `json:"amount"`
	Coupons         []string          `json:"coupons"`
	CustomerStatus  string            `json:"customer_status"`
	CustomerCountry string            `json:"customer_country"`
	Attributes      map[string]string `json:"attributes"`
}

type vectorItem struct {
	SKU       string `json:"sku"`
	UnitPrice string `json:"unit_price"`
	Quantity  int64  `json:"quantity"`
	Discount  string `json:"discount"`
}

func (v vectorOrder) order(t *testing.T) *schema.Order {
	optional := func(text string) schema.Money {
		if text == "" {
			return schema.Money{}
		}
		return money(t, text)
	}
	order := &schema.Order{
		ID: v.ID, ConfirmedAt: v.ConfirmedAt, Currency: v.Currency, Discount: optional(v.Discount),
		Coupons: v.Coupons, CustomerStatus: v.CustomerStatus, CustomerCountry: v.CustomerCountry,
	}
	if v.Amount != "" {
		amount := money(t, v.Amount)
		order.Amount = &amount
	}
	for _, item := range v.Items {
		order.Items = append(order.Items, schema.Item{
			SKU: item.SKU, UnitPrice: money(t, item.UnitPrice), Quantity: item.Quantity, Discount: optional(item.Discount),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(v.Attributes)) {
		order.Attributes = append(order.Attributes, schema.Attribute{Name: name, Value: v.Attributes[name]})
	}
	return order
}

func readVectors(t *testing.T) vectorFile {
	content, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var file vectorFile
	require.NoError(t, json.Unmarshal(content, &file))
	require.Len(t, file.Vectors, 10)
	return file
}

// TestVectors compares our query with the one that a real client sends for the same order.
func TestVectors(t *testing.T) {
	t.Parallel()
	file := readVectors(t)
	for _, v := range file.Vectors {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			builder := newBuilder(t, postback.Advertiser{
				EnterpriseID: file.EnterpriseID, Actions: map[string]string{"sale": file.ActionTrackerID},
				DefaultAction: "sale", Signature: v.Signature,
			})
			now := v.Order.ConfirmedAt.Add(time.Hour)
			order := v.Order.order(t)
			if v.RefusedField != "" {
				_, err := builder.Build(order, file.CJEvent, now)
				require.Equal(t, v.RefusedField, fieldError(t, err).Field)
			}
			if v.LegalOrderID != "" {
				order.ID = v.LegalOrderID
			}
			if v.Ours == "refuse" && !v.TrueOrderBuilds {
				require.NotEmpty(t, v.RefusedField, "a vector must prove something")
				return
			}
			query, err := builder.Build(order, file.CJEvent, now)
			require.NoError(t, err)
			require.Zero(t, money(t, v.TrueTotal).Cmp(totalAtCJ(t, query)), "CJ would compute another total than %s", v.TrueTotal)

			ours, theirs := ourParams(t, query), clientParams(t, v)
			if v.KnownWrong {
				// What we refuse, then repaired for the test, is not the mistake.
				delete(ours, "oid")
				delete(theirs, "oid")
				require.NotEqual(t, theirs, ours, "this client's mistake was copied")
				return
			}
			require.Equal(t, theirs, ours)
		})
	}
}

// TestTemplateOfTheDocumentation pins our bytes for the order of CJ's template: order of parameters, names, escapes.
func TestTemplateOfTheDocumentation(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t).Vectors {
		if v.ID != "docs-01-template-order" {
			continue
		}
		query := build(t, advertiser(), v.Order.order(t))
		want := strings.Replace(v.ClientURL, "&eventTime=", "&EVENTTIME=", 1)
		want = strings.Replace(want, "&DCNT2=0.00", "", 1)
		require.Equal(t, want, query.URL(postback.EndpointCJ))
	}
}

// TestMozillaVectorNeedsNumericIDs: that client's own test uses words for CID and TYPE.
func TestMozillaVectorNeedsNumericIDs(t *testing.T) {
	t.Parallel()
	_, err := postback.NewBuilder(postback.Advertiser{EnterpriseID: "cj_cid", Actions: map[string]string{"sale": "cj_type"}})
	require.Equal(t, "enterprise_id", fieldError(t, err).Field)
	_, err = postback.NewBuilder(postback.Advertiser{EnterpriseID: "1234567", Actions: map[string]string{"sale": "cj_type"}})
	require.Equal(t, "actions.sale", fieldError(t, err).Field)
	for _, v := range readVectors(t).Vectors {
		if v.ID != "cjms-01-annual-plan" {
			continue
		}
		order := v.Order.order(t)
		order.CustomerCountry = "US"
		query := build(t, advertiser(), order)
		require.Zero(t, money(t, v.TrueTotal).Cmp(totalAtCJ(t, query)))
	}
}

var (
	moneyName  = regexp.MustCompile(`^(amt\d+|dcnt\d+|amount|discount|taxamount)$`)
	clientTime = []string{time.RFC3339Nano, "2006-01-02T15:04:05"}
)

// ourParams are the query's parameters with names in lower case.
func ourParams(t *testing.T, query postback.Query) map[string]string {
	params := map[string]string{}
	for _, param := range query.Params() {
		name := strings.ToLower(param.Name)
		require.NotContains(t, params, name)
		require.NotEmpty(t, param.Value, "empty parameter %s", name)
		params[name] = normal(t, name, param.Value)
	}
	return params
}

// clientParams are the client's parameters without the differences that are ours on purpose.
func clientParams(t *testing.T, v vector) map[string]string {
	address, err := url.Parse(v.ClientURL)
	require.NoError(t, err)
	params := map[string]string{}
	for name, values := range address.Query() {
		lower := strings.ToLower(name)
		if lower == "customerstatus" {
			lower = "cust_status"
		}
		params[lower] = normal(t, lower, values[0])
	}
	for _, extra := range v.ClientExtras {
		require.Contains(t, params, strings.ToLower(extra))
		delete(params, strings.ToLower(extra))
	}
	if _, items := params["item1"]; items {
		delete(params, "amount")
	}
	maps.DeleteFunc(params, func(name, value string) bool {
		return value == "" || value == "0.00" && (strings.HasPrefix(name, "dcnt") || name == "discount")
	})

	stamp, order := params["eventtime"], v.Order.ConfirmedAt
	switch {
	case stamp == "":
		params["eventtime"] = order.Format("2006-01-02T15:04:05.000Z")
	case !strings.Contains(stamp, "."):
		// The client cuts to the second.
		require.Equal(t, parseTime(t, stamp), order.Truncate(time.Second))
		params["eventtime"] = order.Format("2006-01-02T15:04:05.000Z")
	}
	return params
}

func normal(t *testing.T, name, value string) string {
	switch {
	case value == "":
		return ""
	case name == "currency":
		return strings.ToUpper(value)
	case moneyName.MatchString(name):
		return money(t, value).String()
	}
	return value
}

func parseTime(t *testing.T, stamp string) time.Time {
	for _, layout := range clientTime {
		if parsed, err := time.Parse(layout, stamp); err == nil {
			return parsed.UTC()
		}
	}
	require.Fail(t, "no time", stamp)
	return time.Time{}
}

// totalAtCJ is what CJ makes of the query: the sum of AMTn*QTYn - DCNTn, or AMOUNT, less DISCOUNT.
func totalAtCJ(t *testing.T, query postback.Query) schema.Money {
	params := map[string]string{}
	for _, param := range query.Params() {
		params[param.Name] = param.Value
	}
	value := func(name string) schema.Money {
		if params[name] == "" {
			return schema.Money{}
		}
		return money(t, params[name])
	}
	total := value("AMOUNT")
	for n := 1; params["ITEM"+strconv.Itoa(n)] != ""; n++ {
		number := strconv.Itoa(n)
		quantity, err := strconv.ParseInt(params["QTY"+number], 10, 64)
		require.NoError(t, err)
		total = total.Add(value("AMT" + number).Mul(quantity)).Sub(value("DCNT" + number))
	}
	return total.Sub(value("DISCOUNT"))
}
