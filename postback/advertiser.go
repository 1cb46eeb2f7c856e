package postback

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/cjrelay/cjrelay/schema"
)

// Bounds of Advertiser.MaxQueryBytes.
const (
	// MaxQueryBytesDefault is 32 KiB. A hundred items make 6 to 16 KiB. CJ documents no limit.
	MaxQueryBytesDefault = 32 << 10
	// MaxQueryBytesMin leaves room for an ordinary order.
	MaxQueryBytesMin = 512
	// MaxQueryBytesMax is 1 MiB, what Go's own HTTP server reads of a request's head by default.
	MaxQueryBytesMax = 1 << 20
)

// Advertiser is what CJ and the merchant have agreed on: who reports, under which actions, in which names.
type Advertiser struct {
	// EnterpriseID is CJ's enterprise id, sent as CID: 1 to 19 digits. It is not the company id, which the
	// reporting API and the data files want (docs.cj.com/docs/s2s-implementation).
	EnterpriseID string
	// Actions maps the action names that orders use to CJ's action tracker ids, sent as TYPE: 1 to 19 digits.
	// At least one. An action tracker stands for one kind of event such as a sale or a lead
	// (docs.cj.com/docs/s2s-implementation).
	Actions map[string]string
	// DefaultAction is the action of an order that names none. Empty means that every order must name one.
	DefaultAction string
	// Signature is the static secret that CJ issued to older accounts, sent as SIGNATURE. Empty means none.
	// It is not computed from the order. 1 to 128 visible ASCII characters.
	Signature string
	// AttributeNames maps an order's attribute names, in any case, to the parameter names to send instead.
	// CJ has two families of names, businessUnit and bus_unit; which one an account wants is for CJ's
	// integration engineer to say (docs.cj.com/docs/additional-vertical-parameters).
	AttributeNames map[string]string
	// MaxQueryBytes bounds the query, names and escapes included. Zero means MaxQueryBytesDefault.
	MaxQueryBytes int
}

// Format writes the advertiser without its signature, under every verb.
func (a Advertiser) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, a.summary())
}

// LogValue keeps the signature out of structured logs.
func (a Advertiser) LogValue() slog.Value { return slog.StringValue(a.summary()) }

func (a Advertiser) summary() string {
	signature := "no signature"
	if a.Signature != "" {
		signature = "signature " + schema.Hidden(a.Signature, nil)
	}
	return fmt.Sprintf("advertiser %s, %d actions, %s", a.EnterpriseID, len(a.Actions), signature)
}

// validate returns the first broken rule but those of the attribute names, always the same one for the same set-up.
func (a Advertiser) validate() error {
	if err := checkNumericID("enterprise_id", a.EnterpriseID); err != nil {
		return err
	}
	if len(a.Actions) == 0 {
		return refuse("actions", "", "must name at least one action with its action tracker id, for example sale: \"398210\"")
	}
	for _, name := range slices.Sorted(maps.Keys(a.Actions)) {
		if name == "" {
			return refuse("actions", "", "must not have an empty name")
		}
		if err := checkNumericID("actions."+name, a.Actions[name]); err != nil {
			return err
		}
	}
	if _, known := a.Actions[a.DefaultAction]; a.DefaultAction != "" && !known {
		return refuse("default_action", shown(a.DefaultAction), "must be one of the configured actions: "+actionList(a.Actions))
	}
	if err := checkSignature(a.Signature); err != nil {
		return err
	}
	if n := a.MaxQueryBytes; n != 0 && (n < MaxQueryBytesMin || n > MaxQueryBytesMax) {
		return refuse("max_query_bytes", fmt.Sprint(n), fmt.Sprintf("must be between %d and %d", MaxQueryBytesMin, MaxQueryBytesMax))
	}
	return nil
}

func checkNumericID(field, id string) error {
	const rule = "must be 1 to 19 digits, as CJ's account manager shows it"
	if id == "" || len(id) > 19 {
		return refuse(field, shown(id), rule)
	}
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return refuse(field, shown(id), rule)
		}
	}
	return nil
}

func checkSignature(signature string) error {
	visible := func(r rune) bool { return r > ' ' && r < 0x7f }
	bad := len(signature) > 128
	for _, r := range signature {
		bad = bad || !visible(r)
	}
	switch {
	case bad:
		return refuse("signature", schema.Hidden(signature, visible), "must be 1 to 128 visible ASCII characters; is there a line break at its end?")
	case containsEmail(signature):
		return refuse("signature", schema.Hidden(signature, nil), emailRule)
	}
	return nil
}
