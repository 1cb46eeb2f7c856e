package postback_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
)

func TestNewBuilderChecksTheSetUp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(a *postback.Advertiser)
		want   string
	}{
		{"NoEnterpriseID", func(a *postback.Advertiser) { a.EnterpriseID = "" }, `enterprise_id "": must be 1 to 19 digits, as CJ's account manager shows it`},
		{"EnterpriseIDWithLetter", func(a *postback.Advertiser) { a.EnterpriseID = "12a" }, `enterprise_id "12a": must be`},
		{"EnterpriseIDWithBlank", func(a *postback.Advertiser) { a.EnterpriseID = "12 " }, `enterprise_id "12 ": must be`},
		{"EnterpriseIDTooLong", func(a *postback.Advertiser) { a.EnterpriseID = strings.Repeat("1", 20) }, "must be 1 to 19 digits"},
		{"NoActions", func(a *postback.Advertiser) { a.Actions = nil }, "actions must name at least one action"},
		{"NamelessAction", func(a *postback.Advertiser) { a.Actions = map[string]string{"": "1"} }, "actions must not have an empty name"},
		{"TrackerNotNumeric", func(a *postback.Advertiser) { a.Actions["lead"] = "x" }, `actions.lead "x": must be 1 to 19 digits`},
		{"UnknownDefault", func(a *postback.Advertiser) { a.DefaultAction = "order" }, `default_action "order": must be one of the configured actions: lead, sale`},
		{"SignatureWithLineBreak", func(a *postback.Advertiser) { a.Signature = signature + "\n" }, `signature (33 characters, first bad character '\n' at position 33): must be 1 to 128 visible ASCII characters; is there a line break at its end?`},
		{"SignatureTooLong", func(a *postback.Advertiser) { a.Signature = strings.Repeat("1", 129) }, "signature (129 characters): must be"},
		{"SignatureOutsideASCII", func(a *postback.Advertiser) { a.Signature = "é" }, "signature (1 characters"},
		{"SignatureWithAddress", func(a *postback.Advertiser) { a.Signature = "jane@example.com" }, "signature (16 characters): contains an e-mail address"},
		{"MappedFromNothing", func(a *postback.Advertiser) { a.AttributeNames = map[string]string{"": "x"} }, "attribute_names must not have an empty name"},
		{"MappedToNothing", func(a *postback.Advertiser) { a.AttributeNames = map[string]string{"x": ""} }, `attribute_names.x "": must not be an empty name`},
		{"MappedToReserved", func(a *postback.Advertiser) { a.AttributeNames = map[string]string{"x": "Amt1"} }, `attribute_names.x "Amt1": is a parameter that the order's own fields fill`},
		{"MappedToIllegal", func(a *postback.Advertiser) { a.AttributeNames = map[string]string{"x": "a b"} }, `attribute_names.x "a b": may have only the characters`},
		{"MappedTwice", func(a *postback.Advertiser) { a.AttributeNames = map[string]string{"X": "a", "x": "b"} }, "attribute_names.x is mapped twice"},
		{"NegativeLimit", func(a *postback.Advertiser) { a.MaxQueryBytes = -1 }, "max_query_bytes -1: must be between 512 and 1048576"},
		{"LimitTooLow", func(a *postback.Advertiser) { a.MaxQueryBytes = 511 }, "max_query_bytes 511"},
		{"LimitTooHigh", func(a *postback.Advertiser) { a.MaxQueryBytes = 1<<20 + 1 }, "max_query_bytes 1048577"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := advertiser()
			test.change(&a)
			builder, err := postback.NewBuilder(a)
			require.Nil(t, builder)
			require.ErrorContains(t, fieldError(t, err), test.want)
			require.NotContains(t, err.Error(), signature)
			require.NotContains(t, err.Error(), "jane")
		})
	}
}

func TestSignatureIsNeverPrinted(t *testing.T) {
	t.Parallel()
	a := advertiser()
	a.Signature = signature
	builder := newBuilder(t, a)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("set up", "advertiser", a, "builder", builder)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("set up", "advertiser", a, "builder", builder)
	for _, text := range []string{
		log.String(), fmt.Sprint(a), fmt.Sprintf("%+v %#v %s %q %x", a, a, a, a, a), fmt.Sprintf("%v %+v %#v", builder, builder, builder),
		fmt.Sprintf("%+v", struct{ A *postback.Advertiser }{&a}),
	} {
		require.NotContains(t, text, signature)
		require.NotContains(t, text, fmt.Sprintf("%x", signature))
	}
	require.Equal(t, "advertiser 1234567, 2 actions, signature (32 characters)", fmt.Sprint(a))
	require.Equal(t, "advertiser 1234567, 2 actions, no signature", fmt.Sprint(advertiser()))
}
