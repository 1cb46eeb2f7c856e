package postback_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

func BenchmarkBuild(b *testing.B) {
	attributes := []schema.Attribute{{Name: "businessUnit", Value: "eu"}, {Name: "dest_city", Value: "New York"}}
	for _, bench := range []struct {
		name       string
		items      int
		attributes []schema.Attribute
	}{
		{"OneItem", 1, nil},
		{"ThreeItems", 3, nil},
		{"ThreeItemsTwoAttributes", 3, attributes},
		{"HundredItems", 100, nil},
	} {
		b.Run(bench.name, func(b *testing.B) {
			builder := newBuilder(b, advertiser())
			order := orderOfItems(b, bench.items)
			order.Attributes = bench.attributes
			b.ReportAllocs()
			for b.Loop() {
				if _, err := builder.Build(order, click, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSHA256(b *testing.B) {
	query := build(b, advertiser(), orderOfItems(b, 3))
	b.ReportAllocs()
	for b.Loop() {
		query.SHA256()
	}
}

func BenchmarkSend(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>ok</html>")
	}))
	defer server.Close()
	client, err := postback.NewClient(postback.ClientConfig{Endpoint: server.URL + "/u"})
	require.NoError(b, err)
	defer client.Close()
	query := build(b, advertiser(), orderOfItems(b, 3))
	b.ReportAllocs()
	for b.Loop() {
		if answer := client.Send(b.Context(), query); answer.Class != postback.Acknowledged {
			b.Fatal(answer.Err)
		}
	}
}
