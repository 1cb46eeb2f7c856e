// Package postback turns one order and its click into the query of CJ's server-to-server postback, sends it,
// and says what the answer means.
//
// Building and sending are apart on purpose. A [Builder] is a pure function of order, click and set-up: the
// same input gives the same bytes on every retry, restart and replay. A [Client] makes one attempt per call
// and knows nothing of orders, retries or breakers; whether and when to send belongs to its caller.
//
// CJ answers 200 to a postback that it later drops without a word. Whatever CJ would drop, cut or misread
// is therefore refused by [Builder.Build] with a *schema.FieldError, never repaired in silence.
package postback
