// Package cjtest is a strict fake CJ: the server-to-server postback endpoint (GET /u) with CJ's documented
// rules, a record of everything that arrived, and scripted trouble. Use it to test anything that sends
// postbacks, in any language:
//
//	cj, err := cjtest.Start()         // a server on 127.0.0.1 and a free port
//	defer cj.Close()
//	send(cj.Endpoint() + "?CID=…")    // your code
//	cj.Received()                     // what arrived, what was answered, and what was wrong with it
//
// The real CJ answers 200 to nearly everything and silently drops what it does not like, so that a wrong
// parameter is noticed at the end of the month. This fake says it at once: by default a request that breaks a
// rule is answered 400 with every problem in the body (strict). [WithSilent] answers 200 as CJ does and only
// records the verdict.
//
// The rules come from CJ's documentation (docs.cj.com: s2s-implementation, neworders-api-implementation,
// restatements-datafile-implementation), from the types of CJ's API and from code that CJ publishes. Where
// those are silent the fake is strict. It shares no code with the sender in this module, so that the two can
// disagree.
//
// Beside /u the server answers people and scripts under /_cjtest/: received, summary, script and reset. Those
// show whole queries to whoever can connect; listen on loopback and send test data only.
package cjtest
