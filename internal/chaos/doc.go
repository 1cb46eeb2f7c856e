// Package chaos runs the real binary against a real Kafka and does it harm: it kills processes at the points where
// an order could get lost or be sent twice, stops them, and takes brokers away under them. Afterwards an audit
// compares the orders with all that CJ received, all that was written, and every commit that Kafka took.
//
// The crash points are tests with the build tag kafka; `make test-kafka` runs them. `make chaos` is everything at
// once, on three brokers.
//
// No kill waits for a time to pass where a point is meant. The fake CJ and a proxy in front of Kafka hold a message
// back, and the process dies while it is held.
package chaos
