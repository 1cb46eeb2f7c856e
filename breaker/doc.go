// Package breaker says whether an attempt may start now, and when the next one may: a circuit breaker over
// the remote side, a bound on attempts in flight, Retry-After, and exponential backoff.
//
// It knows nothing of Kafka or of CJ. While it is open no attempt starts, so nothing can be counted against
// an order that was never offered to the remote side.
package breaker
