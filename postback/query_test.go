package postback_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
)

func TestQueryPrintsNothingPrivate(t *testing.T) {
	t.Parallel()
	a := advertiser()
	a.Signature = signature
	query := build(t, a, simpleOrder(t))
	require.Contains(t, query.Raw(), click)
	require.Contains(t, query.Raw(), signature)

	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		logger := slog.New(handler)
		logger.Info("send", "query", query, "pointer", &query, "in", struct{ Query postback.Query }{query})
	}
	encoded, err := json.Marshal(map[string]any{"query": query})
	require.NoError(t, err)
	for _, text := range []string{
		log.String(), string(encoded), query.String(), errors.New(fmt.Sprint(query)).Error(),
		fmt.Sprintf("%v %+v %#v %s %q %x %d", query, query, query, query, query, query, query),
		fmt.Sprintf("%+v %#v", struct{ Query postback.Query }{query}, []postback.Query{query}),
	} {
		for _, private := range []string{click, signature} {
			require.NotContains(t, text, private)
			require.NotContains(t, text, fmt.Sprintf("%x", private))
		}
	}
	require.Equal(t, fmt.Sprintf("postback of order ORD-1 to action tracker 398210 (%d bytes, sha256 %s)", len(query.Raw()), query.SHA256()[:12]), query.String())
	require.Equal(t, "no postback", postback.Query{}.String())
}

func TestQueryParams(t *testing.T) {
	t.Parallel()
	a := advertiser()
	a.Signature = signature
	order := simpleOrder(t)
	order.Coupons = []string{"A+B", "50%"}
	order.Attributes = attributes("dest_city", "Zürich & Genève")
	require.Equal(t, []postback.Param{
		{Name: "CID", Value: "1234567"},
		{Name: "TYPE", Value: "398210"},
		{Name: "METHOD", Value: "S2S"},
		{Name: "CJEVENT", Value: click, Private: true},
		{Name: "EVENTTIME", Value: "2024-01-15T18:08:36.089Z"},
		{Name: "OID", Value: "ORD-1"},
		{Name: "CURRENCY", Value: "USD"},
		{Name: "COUPON", Value: "A+B,50%"},
		{Name: "AMOUNT", Value: "19.90"},
		{Name: "dest_city", Value: "Zürich & Genève"},
		{Name: "SIGNATURE", Value: signature, Private: true},
	}, build(t, a, order).Params())
	require.Nil(t, postback.Query{}.Params())
}

func TestQuerySHA256(t *testing.T) {
	t.Parallel()
	// The hash of nothing is well known.
	require.Equal(t, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", postback.Query{}.SHA256())
}
