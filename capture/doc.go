// Package capture is the shop's edge: it catches the click id that CJ puts into a landing page's address, sets CJ's
// cookie, and writes the click to the click topic under every session id that an order may carry.
//
// A shopper never waits for Kafka. Every click, and every erasure, takes one way: into a bounded queue, from there in
// groups to a spool on disk, and from there in order to Kafka. Since there is no second way, no older click can
// overtake an erasure.
//
// Which requests get what:
//
//   - A request without a click id in its address and without CJ's cookie passes untouched.
//   - A click id in the address is caught: CJ's cookie is set, and the click is written under all session ids that the
//     request or its response shows, or under one that is made here where they show none.
//   - A request with CJ's cookie and a session id that its click was not written under yet writes it again under that
//     one, with the original time. A companion cookie remembers the time and the sessions.
package capture
