package cjtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/cjrelay/cjrelay/cjtest"
)

// report stands for your own code: it tells CJ about one order and tries again once.
func report(endpoint, orderID, amount string) {
	query := url.Values{
		"CID": {"1234567"}, "TYPE": {"398210"}, "METHOD": {"S2S"}, "CURRENCY": {"USD"},
		"CJEVENT":   {"b7f2a9d4c1e836b0f92d4a1c5e7b8a39"},
		"EVENTTIME": {"2024-01-15T18:08:36.089Z"},
		"OID":       {orderID},
		"AMOUNT":    {amount},
	}
	for range 2 {
		response, err := http.Get(endpoint + "?" + query.Encode())
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return
		}
	}
}

// Test your own integration: send to the fake instead of CJ, then ask what arrived.
func Example() {
	cj, err := cjtest.Start(cjtest.WithEnterpriseIDs("1234567"), cjtest.WithActions("398210"))
	if err != nil {
		panic(err) // t.Fatal in a test
	}
	defer cj.Close()

	report(cj.Endpoint(), "ORD-1", "156.97")
	report(cj.Endpoint(), "ORD-2", "$12")

	fmt.Println(cj.Acknowledged("ORD-1"), cj.Acknowledged("ORD-2"))
	for _, received := range cj.Received() {
		fmt.Println(received.OrderID, received.Status, received.Verdict, received.Total, received.Problems)
	}
	// Output:
	// true false
	// ORD-1 200 valid 156.97 []
	// ORD-2 400 refused  [AMOUNT "$12": must be a decimal like 22.99 without sign, separator, currency or exponent]
	// ORD-2 400 refused  [AMOUNT "$12": must be a decimal like 22.99 without sign, separator, currency or exponent]
}

// A script makes trouble: here the first request fails, and one order is cut off each time.
func ExampleServer_Script() {
	cj, err := cjtest.Start()
	if err != nil {
		panic(err)
	}
	defer cj.Close()
	cj.Script(
		cjtest.Rule{Order: "ORD-2", Effect: cjtest.Reset},
		cjtest.Rule{Next: 1, Status: http.StatusServiceUnavailable, RetryAfter: "2"},
	)

	report(cj.Endpoint(), "ORD-1", "156.97")
	report(cj.Endpoint(), "ORD-2", "12.00")

	for _, received := range cj.ReceivedOf("ORD-1") {
		fmt.Println(received.Status, received.Verdict)
	}
	fmt.Println(cj.Acknowledged("ORD-1"), cj.Acknowledged("ORD-2"))
	// Output:
	// 503 valid
	// 200 valid
	// true false
}

// The same as text, for a command line or POST /_cjtest/script.
func ExampleParseScript() {
	rules, err := cjtest.ParseScript("order=ORD-2 reset; next=1 status=503 retry-after=2; every=2 latency=20ms..80ms")
	if err != nil {
		panic(err)
	}
	for _, rule := range rules {
		fmt.Println(rule)
	}
	_, err = cjtest.ParseScript("status=42")
	fmt.Println(err)
	// Output:
	// order=ORD-2 reset
	// next=1 status=503 retry-after=2
	// every=2 latency=20ms..80ms ok
	// script rule 1: status 42: must be 200 to 599
}

// New makes a handler, for a server of your own.
func ExampleNew() {
	cj := cjtest.New(cjtest.WithSilent())
	server := httptest.NewServer(cj)
	defer server.Close()
	defer cj.Close() // runs first, and ends whatever hangs

	report(server.URL+cjtest.Path, "an order", "156.97")

	received := cj.Received()[0]
	fmt.Println(received.Status, received.Verdict, received.Problems)
	// Output:
	// 200 refused [OID "an order": allows only A-Z a-z 0-9 - _]
}
